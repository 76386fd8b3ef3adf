"""Scores of exported models that label pictures: what the families share."""
