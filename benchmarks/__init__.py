"""Measurements of speed and cost. Run each as `python -m benchmarks.NAME`."""
