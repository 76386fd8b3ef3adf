"""Serve a model over HTTP: requests, batches, limits, metrics, and following the champion."""
