"""What to label next: pictures ranked by what a model does not know, with its labels to start from."""
