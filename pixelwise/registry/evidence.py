"""Evidence: what the release gate judges, stored with each version so that it can be judged again."""

from dataclasses import dataclass
from pathlib import Path

from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.metrics.measurement import MEASUREMENTS, Measurement, read_measurements
from pixelwise.model_folder import ModelFolder

METRICS, BENCHMARK = "metrics.json", "benchmark.json"
WATCHED_FILE = "watch.json"
OBJECT = "a JSON object"
# Fewer pictures are a few scenes, which say little about production.
FEWEST_PICTURES = 100


@dataclass(frozen=True)
class Evidence:
    """Measurements of one model version on `split` of `dataset`. The first one is that by which models are compared.

    parity: the share of pixels on which ONNX and torch agree. milliseconds: the median latency at batch 1 of the engine
    that the provider `auto` would take, None = not measured.
    """

    measurements: tuple[Measurement, ...]
    dataset: str
    split: str
    parity: float
    milliseconds: float | None

    @property
    def main(self) -> Measurement:
        """The measurement by which models are compared."""
        return self.measurements[0]

    def find(self, name: str) -> Measurement | None:
        """The measurement of this name, None if there is none."""
        return next((one for one in self.measurements if one.name == name), None)


def list_evidence_files(model: Path, evaluation: Path, benchmark: Path | None) -> list[Path]:
    """The files of a model's evidence. Raises DataError naming the first that is missing."""
    files = [evaluation / METRICS, evaluation / MEASUREMENTS, ModelFolder(model).export]
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
    measurements = read_measurements(folder / MEASUREMENTS)
    try:
        return Evidence(
            measurements=measurements,
            dataset=metrics["dataset"],
            split=metrics["split"],
            parity=export["parity"],
            # A benchmark of an earlier version timed ONNX Runtime alone.
            milliseconds=benchmark.get("served_median_milliseconds", benchmark["onnx_median_milliseconds"])
            if benchmark
            else None,
        )
    except KeyError as error:
        raise DataError(f"{folder}: key {error} missing from {METRICS}, {export_file.name} or {BENCHMARK}") from None


def read_disagreement(file: Path, champion: str, challenger: str) -> tuple[float, int] | None:
    """Read from watch.json how far a challenger differs from the champion on live requests, both named by SHA-256.

    Returns the share of the pixels and the number of pictures; None where the two were not compared on FEWEST_PICTURES.
    """
    found = read_json(file, "what `pixelwise watch` writes", default={}).get("disagreement") or {}
    is_theirs = (found.get("model"), found.get("rival")) == (champion, challenger)
    return (found["share"], found["pictures"]) if is_theirs and found["pictures"] >= FEWEST_PICTURES else None
