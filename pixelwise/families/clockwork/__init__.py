"""The clockwork family: video on clocks (thesis chapter 3)."""
