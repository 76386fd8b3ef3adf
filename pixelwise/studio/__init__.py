"""The studio: a page on which clicks become masks. Torch-free; what it knows of models it has of the runtime."""
