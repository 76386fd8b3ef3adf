"""Run guided models with NumPy and ONNX Runtime, without torch."""
