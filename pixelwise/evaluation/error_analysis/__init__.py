"""Where a model is wrong: collected while a split is scored, for the error page."""
