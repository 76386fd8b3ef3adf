"""Measure and use guided models: clips, few pictures of a category, files of guidance."""
