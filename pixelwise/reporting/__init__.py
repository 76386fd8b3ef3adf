"""Visual output: overlays, plots, picture grids and report pages. It does not import torch."""
