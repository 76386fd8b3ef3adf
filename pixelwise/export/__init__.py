"""From a trained net to graphs that ship: ONNX files, their parity with torch, int8, and how fast they are."""
