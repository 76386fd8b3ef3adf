"""Studies: each tests a claim of the thesis and writes a page with our figures beside the thesis's."""
