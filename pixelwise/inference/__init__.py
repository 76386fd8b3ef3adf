"""Inference with exported models: ONNX Runtime, NumPy and Pillow, no torch."""
