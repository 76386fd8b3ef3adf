"""Quantise a graph to int8: static QDQ, one scale per channel."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from pixelwise.data.prepared import PreparedSplit
from pixelwise.export.nodes import find_needed, rename
from pixelwise.inference.session import Segmenter, stack_samples

# Clip and Relu are needed: without them a convolution's output is quantised over its whole range before ReLU6 clips
# most of it, which cost 15 points of mean IU.
QUANTIZED = ["Conv", "Add", "Clip", "Relu"]
# The fused scores inside a clockwork's plain net, which is wired of its stages, fusion and decoding.
FUSED = "fuse.scores"


class Calibration(CalibrationDataReader):
    """Calibration samples spread evenly over a split, which must be read with the model's layers."""

    def __init__(self, model: Segmenter, split: PreparedSplit, images: int) -> None:
        chosen = np.linspace(0, len(split) - 1, min(images, len(split))).round().astype(int)
        self.feeds: Iterator[dict[str, np.ndarray]] = (
            model.select_inputs(stack_samples([split[int(index)]])) for index in chosen
        )

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The inputs of the next sample, or None after the last."""
        return next(self.feeds, None)


def quantize(source: Path, target: Path, calibration: Calibration) -> None:
    """Write the graph `source` with int8 weights and uint8 activations to `target`. Metadata is kept."""
    prepared = target.with_suffix(".prepared.onnx")
    # The quantiser logs advice to do what the next line does, through the root logger.
    logging.disable(logging.WARNING)
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            calibration,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            nodes_to_exclude=find_first_convolutions(prepared),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
    finally:
        logging.disable(logging.NOTSET)
    quantised = onnx.load(target)
    onnx.helper.set_model_props(quantised, {p.key: p.value for p in onnx.load(source).metadata_props})
    onnx.save(quantised, target)


def cut_scores(labelling: Path, like: Path, target: Path) -> None:
    """Write to `target` the part of the quantised graph `labelling` that computes what the float32 graph `like` does.

    labelling: quantised from a clockwork's plain net. like: that net up to its scores, whose output and metadata the
    part gets.
    """
    whole, undecoded = onnx.load(labelling), onnx.load(like)
    (output,) = undecoded.graph.output
    nodes = [rename(node, {FUSED: output.name}) for node in whole.graph.node]
    needed = find_needed(nodes, [output.name])
    part = onnx.helper.make_graph(
        [node for node in nodes if not needed.isdisjoint(node.output)],
        undecoded.graph.name,
        undecoded.graph.input,
        [output],
        [tensor for tensor in whole.graph.initializer if tensor.name in needed],
    )
    model = onnx.helper.make_model(part, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    onnx.helper.set_model_props(model, {p.key: p.value for p in undecoded.metadata_props})
    onnx.save(model, target)


def find_first_convolutions(graph: Path) -> list[str]:
    """Names of the first convolutions after the inputs. They stay float32: they are cheap and lose most accuracy."""
    first: list[str] = []
    # Values computed from the output of a convolution.
    behind: set[str] = set()
    for node in onnx.load(graph).graph.node:
        is_behind = not behind.isdisjoint(node.input)
        if node.op_type == "Conv" and not is_behind:
            first.append(node.name)
        if node.op_type == "Conv" or is_behind:
            behind.update(node.output)
    return first
