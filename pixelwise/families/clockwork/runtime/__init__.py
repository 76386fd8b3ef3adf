"""Clockwork models at work: NumPy and ONNX Runtime, no torch."""
