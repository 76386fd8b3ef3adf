"""How nets learn: the loop, objectives, optimisers, checkpoints. No file layout or tracker of the project in sight."""
