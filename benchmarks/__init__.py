"""Measurements of speed and cost, each a command: `python -m benchmarks.NAME`."""
