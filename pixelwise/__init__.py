"""Pixelwise: a label for every pixel. The library that the pipeline's steps are made of."""
