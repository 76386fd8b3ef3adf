"""The studio: a page that turns clicks into masks. It imports no torch; models come from the runtime."""
