"""Registered models: versions, aliases, the release gate, the ledger of promotions, and what a model was made of."""
