"""Schedules of a clockwork measured on video: scores, frames a second, and how often each stage ran."""
