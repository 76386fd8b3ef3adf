"""The error page of an evaluation: where the model is wrong, and where the labels may be."""
