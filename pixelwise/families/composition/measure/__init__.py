"""Measurements of compositions."""
