"""Command-line verbs of clockworks."""
