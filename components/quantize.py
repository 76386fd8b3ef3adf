"""Quantise an exported graph to int8 (static QDQ, one scale per channel); offer it where it pays."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np

from pixelwise import command
from pixelwise.data.prepared import PreparedData, PreparedSplit
from pixelwise.errors import ModelError, ParamsError
from pixelwise.export.int8 import Calibration, quantize
from pixelwise.export.int8_verdict import Quantized, QuantizeParams
from pixelwise.files import write_json
from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import require_one_training
from pixelwise.inference.session import Segmenter, find_graph_file, open_model, select_truth, stack_samples
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.model_folder import ModelFolder
from pixelwise.progress import progress
from pixelwise.timing import measure_ratio, take_turns
from pixelwise.tracking import record_for_model


def run(
    params: QuantizeParams,
    model: Annotated[Path, "folder of the exported model"],
    data: Annotated[Path, "prepared data"],
    out: Annotated[Path, "folder for the int8 model: onnx/ and quantization.json"],
) -> Quantized:
    """Write an int8 graph where it loses at most `max_loss` and is `min_speedup` times as fast; else say why it is not.

    quantization.json is written in any case.

    Raises ModelError where the model cannot be opened or is one of several graphs, DataError where a split is missing,
    ParamsError where `out` is the model's own folder.
    """
    if len(graphs := ModelFolder(model).graphs()) > 1:
        raise ModelError(f"{model}: found {len(graphs)} graphs, expected a model of one graph; others have no int8")
    source, folder = find_graph_file(model), ModelFolder(out)
    if folder.graph().resolve() == source.resolve():
        raise ParamsError(f"--out {out}: found the folder of the model itself, expected another folder")
    require_one_training(model)
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
        int8 = open_model(graph, "cpu")
        quantized = Quantized(
            params,
            mean_iu_float32=measure_mean_iu(float32, scored, "score float32"),
            mean_iu_int8=measure_mean_iu(int8, scored, "score int8"),
            speedup=measure_speedup(float32, int8, stack_samples([scored[0]]), params.repeats),
            out=out,
        )
        if not quantized.reasons:
            folder.onnx.mkdir()
            graph.replace(folder.graph())
    digest = None if quantized.reasons else sha256_file(folder.graph())
    write_json(folder.quantization, {**quantized.facts(), "sha256": digest})
    record_for_model(model, {"int8/mean_iu": quantized.mean_iu_int8, "float32/mean_iu": quantized.mean_iu_float32})
    return quantized


def measure_mean_iu(model: Segmenter, split: PreparedSplit, words: str) -> float:
    """Mean IU of the model's first output over `split`, which is read with the model's layers."""
    counts, output = ConfusionMatrix(len(model.names)), model.outputs[0]
    for sample in progress(split, words):
        counts.add(select_truth(output, sample), model.label(stack_samples([sample]))[output][0])
    return counts.scores().mean_iu


def measure_speedup(float32: Segmenter, int8: Segmenter, inputs: Mapping[str, np.ndarray], repeats: int) -> float:
    """The speed of int8 in multiples of float32's on one picture: the median over turns."""
    calls = {"float32": partial(float32.label, inputs), "int8": partial(int8.label, inputs)}
    times = take_turns(calls, repeats, warmup=2)
    return measure_ratio(times["float32"], times["int8"]).median


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
