"""Quantise an exported graph to int8, and offer it only where it costs little: static QDQ, a scale a channel."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from pydantic import Field, PositiveInt

from components import step
from components.datasets.prepared import PreparedData, PreparedSplit
from components.files import write_json
from components.identity import sha256_file
from components.measures.confusion import ConfusionMatrix
from components.params import Params
from components.progress import progress
from components.runtime.session import Segmenter, graph_file, open_model
from components.tracking import record_beside

QUANTIZATION_FILE = "quantization.json"
# Activations too: left out, a convolution's output is rounded over its whole range before ReLU6 cuts most of it away,
# which cost 15 points of mean IU.
QUANTIZED = ["Conv", "Add", "Clip", "Relu"]


class QuantizeParams(Params):
    """Section `<family>.quantize`."""

    calibration_split: str = Field("train", description="split whose pictures set the value ranges")
    calibration_images: PositiveInt = Field(32, description="pictures that set the value ranges")
    split: str = Field("val", description="split on which the loss is measured")
    max_loss: float = Field(0.005, ge=0, description="loss of mean IU above which no int8 graph is offered")


@dataclass(frozen=True)
class Quantized:
    """Mean IU before and after, and whether the int8 graph is offered."""

    mean_iu_float32: float
    mean_iu_int8: float
    max_loss: float
    out: Path

    @property
    def is_offered(self) -> bool:
        """Whether int8 costs no more than it may."""
        return self.mean_iu_float32 - self.mean_iu_int8 <= self.max_loss

    def __str__(self) -> str:
        loss = self.mean_iu_float32 - self.mean_iu_int8
        verdict = f"offered in {self.out}" if self.is_offered else f"not offered: more than {self.max_loss:.3f}"
        return f"int8: mean IU {self.mean_iu_int8:.3f}, float32 {self.mean_iu_float32:.3f}; loss {loss:.3f}, {verdict}"


class Calibration(CalibrationDataReader):
    """Feeds the graph pictures spread evenly over a split."""

    def __init__(self, split: PreparedSplit, images: int) -> None:
        chosen = np.linspace(0, len(split) - 1, min(images, len(split))).round().astype(int)
        self.pictures: Iterator[np.ndarray] = (split.image(int(index)) for index in chosen)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next picture, or None after the last."""
        image = next(self.pictures, None)
        return None if image is None else {"image": image[None]}


def run(
    params: QuantizeParams,
    model: Annotated[Path, "folder of the exported model"],
    data: Annotated[Path, "prepared data"],
    out: Annotated[Path, "folder for the int8 graph and quantization.json"],
) -> Quantized:
    """Write an int8 graph where its loss of mean IU is within the bound, and quantization.json in any case.

    Raises ModelError where the model cannot be opened, DataError where a split is missing.
    """
    prepared = PreparedData(data)
    calibration, scored = prepared.split(params.calibration_split), prepared.split(params.split)
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    with TemporaryDirectory(dir=out) as work:
        graph = Path(work) / "model.onnx"
        quantize(graph_file(model), graph, Calibration(calibration, params.calibration_images))
        found = Quantized(
            mean_iu_float32=mean_iu(open_model(model, "cpu"), scored, "score float32"),
            mean_iu_int8=mean_iu(open_model(graph, "cpu"), scored, "score int8"),
            max_loss=params.max_loss,
            out=out,
        )
        if found.is_offered:
            graph.replace(out / "model.onnx")
    facts = {name: value for name, value in asdict(found).items() if name != "out"}
    digest = sha256_file(out / "model.onnx") if found.is_offered else None
    write_json(out / QUANTIZATION_FILE, {**facts, "offered": found.is_offered, "sha256": digest})
    record_beside(model, {"int8/mean_iu": found.mean_iu_int8, "float32/mean_iu": found.mean_iu_float32})
    return found


def quantize(source: Path, target: Path, calibration: Calibration) -> None:
    """Write the graph `source` with int8 weights and activations to `target`, its metadata kept."""
    prepared = target.with_suffix(".prepared.onnx")
    # The quantiser advises, through the root logger, to do what the next line does.
    logging.disable(logging.WARNING)
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            calibration,
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTIZED,
            nodes_to_exclude=[first_convolution(prepared)],
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


def first_convolution(graph: Path) -> str:
    """Name of the layer that sees the picture; it stays float32, as its three channels cost little and lose most."""
    return next(node.name for node in onnx.load(graph).graph.node if node.op_type == "Conv")


def mean_iu(model: Segmenter, split: PreparedSplit, words: str) -> float:
    """Mean IU of `model` over `split`."""
    counts = ConfusionMatrix(len(model.names))
    for sample in progress(split, words):
        counts.add(sample.label, model.predict(sample.image[None])[0])
    return counts.scores().mean_iu


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    step.main(run, None, argv)


if __name__ == "__main__":
    main()
