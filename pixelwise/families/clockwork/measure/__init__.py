"""Measure the schedules of a clockwork on video: scores, frames a second, and how often each stage ran."""
