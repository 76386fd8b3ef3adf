"""Convert a graph to float16, in which a GPU computes faster and with half of the memory."""

from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16


def convert(source: Path, target: Path) -> None:
    """Write the graph `source` with float16 weights and activations to `target`.

    Inputs, outputs and metadata stay as they are; what ONNX defines for float32 alone is computed in it.
    """
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), target)
