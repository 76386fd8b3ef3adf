"""Pixelwise: dense prediction as a pipeline. One file a step, one folder a library."""
