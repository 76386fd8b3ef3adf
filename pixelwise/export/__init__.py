"""Export a trained net: ONNX files, their parity with torch, and graphs of lower precision."""
