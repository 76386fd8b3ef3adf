"""Verbs of the command line that guided models alone have."""
