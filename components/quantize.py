"""Quantise an exported graph to int8 (static QDQ, one scale per channel) or float16; offer it where it pays."""

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
from pixelwise.export.float16 import convert
from pixelwise.export.int8 import Calibration, cut_scores, quantize
from pixelwise.export.verdict import Quantized, QuantizeParams
from pixelwise.files import write_json
from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import require_one_training
from pixelwise.inference.session import Provider, Segmenter, find_graph_file, open_model, select_truth, stack_samples
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.model_folder import GRAPH, UNDECODED, ModelFolder
from pixelwise.progress import progress
from pixelwise.timing import measure_ratio, take_turns
from pixelwise.tracking import record_for_model

# Where each precision is faster than float32, thus used and judged.
PROVIDERS: Mapping[str, Provider] = {"int8": "cpu", "float16": "cuda"}


def run(
    params: QuantizeParams,
    model: Annotated[Path, "folder of the exported model"],
    data: Annotated[Path, "prepared data"],
    out: Annotated[Path, "folder for the smaller model: onnx/ and quantization.json"],
) -> Quantized:
    """Write a smaller graph where it loses at most `max_loss` and is `min_speedup` times as fast, or say why not.

    quantization.json is written in any case. Of a clockwork, whose schedules run the whole net in one graph, that graph
    is cut out of the smaller one.

    Raises ModelError where the model cannot be opened or has no graph that labels pictures by itself, DataError where a
    split is missing, ProviderError where CUDA, on which float16 is judged, is not available, ParamsError where `out` is
    the model's own folder.
    """
    graphs = [file.stem for file in ModelFolder(model).graphs()]
    if graphs and GRAPH not in graphs:
        raise ModelError(f"{model}: found {', '.join(graphs)}, expected {GRAPH}; other models are not quantised")
    source, folder = find_graph_file(model), ModelFolder(out)
    if folder.graph().resolve() == source.resolve():
        raise ParamsError(f"--out {out}: found the folder of the model itself, expected another folder")
    require_one_training(model)
    provider = PROVIDERS[params.precision]
    prepared, float32 = PreparedData(data), open_model(model, provider)
    calibration = prepared.split(params.calibration_split).with_layers(*float32.layers)
    scored = prepared.split(params.split).with_layers(*float32.layers)
    out.mkdir(parents=True, exist_ok=True)
    # A graph of an earlier run must not remain beside this run's results.
    shutil.rmtree(folder.onnx, ignore_errors=True)
    folder.quantization.unlink(missing_ok=True)
    with TemporaryDirectory(dir=out) as work:
        graph = Path(work) / f"{params.precision}.onnx"
        if params.precision == "float16":
            convert(source, graph)
        else:
            quantize(source, graph, Calibration(float32, calibration, params.calibration_images))
        small = open_model(graph, provider)
        quantized = Quantized(
            params,
            mean_iu_float32=measure_mean_iu(float32, scored, "score float32"),
            mean_iu=measure_mean_iu(small, scored, f"score {params.precision}"),
            speedup=measure_speedup(float32, small, stack_samples([scored[0]]), params.repeats),
            out=out,
        )
        if not quantized.reasons:
            folder.onnx.mkdir()
            graph.replace(folder.graph())
            if UNDECODED in graphs:
                cut_scores(folder.graph(), ModelFolder(model).graph(UNDECODED), folder.graph(UNDECODED))
    written = {file.stem: {"sha256": sha256_file(file)} for file in folder.graphs()}
    write_json(folder.quantization, {**quantized.facts(), "graphs": written})
    found = {params.precision: quantized.mean_iu, "float32": quantized.mean_iu_float32}
    record_for_model(model, {f"{name}/mean_iu": value for name, value in found.items()})
    return quantized


def measure_mean_iu(model: Segmenter, split: PreparedSplit, words: str) -> float:
    """Mean IU of the model's first output over `split`, which is read with the model's layers."""
    counts, output = ConfusionMatrix(len(model.names)), model.outputs[0]
    for sample in progress(split, words):
        counts.add(select_truth(output, sample), model.label(stack_samples([sample]))[output][0])
    return counts.scores().mean_iu


def measure_speedup(float32: Segmenter, small: Segmenter, inputs: Mapping[str, np.ndarray], repeats: int) -> float:
    """The speed of `small` in multiples of float32's on one picture: the median over turns."""
    times = take_turns({"float32": partial(float32.label, inputs), "small": partial(small.label, inputs)}, repeats, 2)
    return measure_ratio(times["float32"], times["small"]).median


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
