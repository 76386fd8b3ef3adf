"""Measure the schedules of a clockwork on video: scores, frames per second, and how often each stage ran."""
