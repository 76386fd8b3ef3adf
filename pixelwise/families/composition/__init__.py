"""The composition family: learned Gaussian receptive fields (thesis chapter 5)."""
