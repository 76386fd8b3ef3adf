"""Data validation: checks on the manifest, the verdict over them and the page that shows it."""
