"""What a folder of pictures is and whether anything about it is suspicious, before it is ingested."""
