"""Evaluation of exported models that label pictures, shared by the families."""
