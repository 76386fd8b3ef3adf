"""Run clockwork models with NumPy and ONNX Runtime, without torch."""
