"""Exported models at work: ONNX Runtime, NumPy and Pillow, no torch."""
