"""Export a trained net: ONNX files, their parity with torch, and int8 quantisation."""
