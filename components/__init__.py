"""The steps of the pipeline, one file each; each step calls the library `pixelwise`."""
