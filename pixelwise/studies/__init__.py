"""Studies: a claim of the thesis, the trainings that test it, and a page with our numbers beside the thesis's."""
