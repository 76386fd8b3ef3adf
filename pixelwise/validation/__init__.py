"""What good data is: expectations on the manifest, the verdict over them and its page."""
