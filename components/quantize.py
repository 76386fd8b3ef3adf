"""Quantise an exported graph to int8 (static QDQ, one scale per channel); offer it where the loss is small."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pydantic import Field, PositiveInt

from pixelwise import command
from pixelwise.data.prepared import PreparedData, PreparedSplit
from pixelwise.errors import ParamsError
from pixelwise.export.int8 import Calibration, quantize
from pixelwise.files import write_json
from pixelwise.identity import sha256_file
from pixelwise.inference.session import Segmenter, find_graph_file, open_model, select_truth, stack_samples
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.tracking import record_for_model


class QuantizeParams(Params):
    """Section `<family>.quantize`."""

    calibration_split: str = Field("train", description="split of the calibration pictures")
    calibration_images: PositiveInt = Field(32, description="number of pictures that determine the value ranges")
    split: str = Field("val", description="split on which the loss of mean IU is measured")
    max_loss: float = Field(0.005, ge=0, description="maximum loss of mean IU of an offered int8 graph")


@dataclass(frozen=True)
class Quantized:
    """Mean IU before and after, and whether the int8 graph is offered."""

    mean_iu_float32: float
    mean_iu_int8: float
    max_loss: float
    out: Path

    @property
    def is_offered(self) -> bool:
        """Whether the loss of mean IU is at most `max_loss`."""
        return self.mean_iu_float32 - self.mean_iu_int8 <= self.max_loss

    def __str__(self) -> str:
        loss = self.mean_iu_float32 - self.mean_iu_int8
        verdict = f"offered in {self.out}" if self.is_offered else f"not offered: more than {self.max_loss:.3f}"
        return f"int8: mean IU {self.mean_iu_int8:.3f}, float32 {self.mean_iu_float32:.3f}; loss {loss:.3f}, {verdict}"


def run(
    params: QuantizeParams,
    model: Annotated[Path, "folder of the exported model"],
    data: Annotated[Path, "prepared data"],
    out: Annotated[Path, "folder for the int8 model: onnx/ and quantization.json"],
) -> Quantized:
    """Write an int8 graph where its loss of mean IU is at most max_loss, and quantization.json in any case.

    Raises ModelError where the model cannot be opened, DataError where a split is missing,
    ParamsError where `out` is the model's own folder.
    """
    source, folder = find_graph_file(model), ModelFolder(out)
    if folder.graph().resolve() == source.resolve():
        raise ParamsError(f"--out {out}: found the folder of the model itself, expected another folder")
    prepared, float32 = PreparedData(data), open_model(model, "cpu")
    calibration = prepared.split(params.calibration_split).with_layers(*float32.layers)
    scored = prepared.split(params.split).with_layers(*float32.layers)
    out.mkdir(parents=True, exist_ok=True)
    # An int8 graph of an earlier run must not remain beside this run's results.
    shutil.rmtree(folder.onnx, ignore_errors=True)
    folder.quantization.unlink(missing_ok=True)
    with TemporaryDirectory(dir=out) as work:
        graph = Path(work) / "int8.onnx"
        quantize(source, graph, Calibration(float32, calibration, params.calibration_images))
        quantized = Quantized(
            mean_iu_float32=measure_mean_iu(float32, scored, "score float32"),
            mean_iu_int8=measure_mean_iu(open_model(graph, "cpu"), scored, "score int8"),
            max_loss=params.max_loss,
            out=out,
        )
        if quantized.is_offered:
            folder.onnx.mkdir()
            graph.replace(folder.graph())
    facts = {name: value for name, value in asdict(quantized).items() if name != "out"}
    digest = sha256_file(folder.graph()) if quantized.is_offered else None
    write_json(folder.quantization, {**facts, "offered": quantized.is_offered, "sha256": digest})
    record_for_model(model, {"int8/mean_iu": quantized.mean_iu_int8, "float32/mean_iu": quantized.mean_iu_float32})
    return quantized


def measure_mean_iu(model: Segmenter, split: PreparedSplit, words: str) -> float:
    """Mean IU of the model's first output over `split`, which is read with the model's layers."""
    counts, output = ConfusionMatrix(len(model.names)), model.outputs[0]
    for sample in progress(split, words):
        counts.add(select_truth(output, sample), model.label(stack_samples([sample]))[output][0])
    return counts.scores().mean_iu


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
