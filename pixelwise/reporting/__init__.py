"""What people look at: overlays, plots, picture grids, report pages. No torch."""
