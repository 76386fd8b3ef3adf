"""The nets of every family: torch modules, no file, data set or tracker in sight."""
