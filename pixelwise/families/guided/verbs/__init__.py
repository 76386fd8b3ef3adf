"""Command-line verbs of guided models."""
