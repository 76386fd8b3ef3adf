"""The verbs beside the pipeline, one file each."""
