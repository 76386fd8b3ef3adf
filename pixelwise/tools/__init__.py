"""The commands that are not steps of the pipeline, one file each."""
