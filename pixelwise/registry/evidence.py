"""Evidence: the files that the release gate reads, stored with each version so that it can be judged again."""

from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.release_gate import Evidence

METRICS, IMAGES, BENCHMARK = "metrics.json", "images.npz", "benchmark.json"
OBJECT = "a JSON object"


def list_evidence_files(model: Path, scores: Sequence[Path], benchmark: Path | None) -> list[Path]:
    """The files of a model's evidence, its `scores` among them. Raises DataError naming the first that is missing."""
    files = [*scores, ModelFolder(model).export]
    if benchmark is not None:
        files.append(benchmark / BENCHMARK)
    for file in files:
        if not file.is_file():
            raise DataError(f"{file}: no such file, expected it as evidence for the release gate")
    return files


def read_evidence(folder: Path) -> Evidence:
    """Read the evidence in `folder` for the release gate.

    Raises DataError where a file is missing or lacks a key; only benchmark.json may be absent.
    """
    export_file = ModelFolder(folder).export
    metrics, export = read_json(folder / METRICS, OBJECT), read_json(export_file, OBJECT)
    benchmark = read_json(folder / BENCHMARK, OBJECT, default=None)
    try:
        with np.load(folder / IMAGES, allow_pickle=False) as images:
            ids, counts = images["ids"], images["counts"]
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        raise DataError(f"{folder / IMAGES}: {error}, expected arrays ids (M,) and counts (M, K, K)") from None
    try:
        return Evidence(
            ids=tuple(ids.tolist()),
            counts=counts,
            classes=tuple(metrics["per_class"]),
            dataset=metrics["dataset"],
            split=metrics["split"],
            parity=export["parity"],
            milliseconds=benchmark["onnx_median_milliseconds"] if benchmark else None,
        )
    except KeyError as error:
        raise DataError(f"{folder}: key {error} missing from {METRICS}, {export_file.name} or {BENCHMARK}") from None
