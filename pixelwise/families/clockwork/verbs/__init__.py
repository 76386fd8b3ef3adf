"""Verbs of the command line that clockworks alone have."""
