"""Export a trained net: ONNX files, their parity with torch, int8 quantisation, and engines for benchmarks."""
