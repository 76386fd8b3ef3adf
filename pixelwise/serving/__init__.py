"""A model behind HTTP: requests, batches, bounds, metrics, and a champion that is followed."""
