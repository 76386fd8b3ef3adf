"""Data sets: readers of each one's own layout, the generated town, and the prepared shards all else reads."""
