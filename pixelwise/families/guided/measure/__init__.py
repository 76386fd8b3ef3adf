"""Score guided models: on clips, on categories with few pictures, and interactively."""
