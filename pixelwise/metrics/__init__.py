"""Scores of predictions, and the judgements made on them. NumPy only."""
