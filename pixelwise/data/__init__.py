"""Data sets: readers of published layouts, the generated town, and prepared data (shards), which all steps read."""
