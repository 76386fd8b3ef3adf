"""Choose the engine of a model by what `pixelwise benchmark` measured: the fastest that labels pictures alike."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from pixelwise.documents import read_json
from pixelwise.files import write_json
from pixelwise.inference.exported_models import identify
from pixelwise.inference.session import NAMES, Provider, open_session
from pixelwise.model_folder import ModelFolder
from pixelwise.timing import Engine, measure_spread, read_processor


@dataclass(frozen=True)
class Measured:
    """The median milliseconds of an engine a picture, and its share of pixels labelled as ONNX Runtime labels them."""

    milliseconds: float
    equal_pixels: float


@dataclass(frozen=True)
class Record:
    """The content of engines.json: the engines by provider, ONNX Runtime first, and what they were measured on."""

    model_sha256: str
    processor: str
    min_equal_pixels: float
    engines: dict[str, Measured]


def compare_providers(engines: Mapping[str, Engine], times: Mapping[str, Sequence[float]]) -> dict[str, Measured]:
    """The providers that run the exported graphs: the time of one picture, and the least share of equal pixels.

    ONNX Runtime's is the first. The first engine of each provider labels one picture. times: milliseconds of each run.
    """
    found: dict[str, Measured] = {}
    for name, engine in engines.items():
        if engine.provider is not None and engine.equal_pixels is not None:
            first = found.get(engine.provider, Measured(measure_spread(times[name]).median, 1.0))
            found[engine.provider] = replace(first, equal_pixels=min(first.equal_pixels, engine.equal_pixels))
    return found


def find_fastest(engines: Mapping[str, Measured], min_equal_pixels: float) -> str:
    """The fastest of `engines`, by provider, that labels enough pixels as the first does."""
    alike = {name: one for name, one in engines.items() if one.equal_pixels >= min_equal_pixels}
    return min(alike, key=lambda name: alike[name].milliseconds)


def save_engines(file: Path, model: Path, engines: dict[str, Measured], min_equal_pixels: float) -> None:
    """Write what was measured for the exported `model` on this processor to `file`, an engines.json."""
    write_json(file, asdict(Record(identify(model), read_processor(), min_equal_pixels, engines)))


def choose_provider(model: Path, asked: Provider) -> Provider:
    """The provider on which to open the exported `model`, a folder or an .onnx file.

    `auto` is the fastest engine that engines.json allows, if it was measured for these graphs on a processor like this
    one and is installed; else ONNX Runtime. CUDA goes before both. One line on stderr says which and why. Raises
    ModelError where the model cannot be opened, DataError where engines.json is no JSON.
    """
    if asked != "auto":
        return asked
    provider, reason = judge_engines(model)
    print(f"provider auto: {reason}", file=sys.stderr, flush=True)
    return provider


def judge_engines(model: Path) -> tuple[Provider, str]:
    """The provider that `auto` stands for, and why. It is `auto` for ONNX Runtime, which takes CUDA where it can."""
    record = read_json(ModelFolder(model).engines, "the engines that benchmark measured", Record, default=None)
    if record is None:
        return "auto", "ONNX Runtime, since no engine was measured for this model (pixelwise benchmark --engines)"
    found = describe(record)
    if find_fastest(record.engines, record.min_equal_pixels) != "openvino":
        return "auto", f"ONNX Runtime; {found}"
    obstacles = {
        "the engines were measured on other graphs": lambda: record.model_sha256 != identify(model),
        f"the engines were measured on {record.processor}": lambda: record.processor != read_processor(),
        "openvino is faster but not installed (extra pixelwise[openvino])": lambda: find_spec("openvino") is None,
        "it has CUDA": lambda: has_cuda(model),
    }
    reason = next((words for words, holds in obstacles.items() if holds()), None)
    return ("auto", f"ONNX Runtime, since {reason}") if reason else ("openvino", f"openvino; {found}")


def describe(record: Record) -> str:
    """What was measured, in one line."""
    words = (
        f"{name} {one.milliseconds:.1f} ms a picture, {one.equal_pixels:.2%} equal pixels"
        for name, one in record.engines.items()
    )
    return f"measured {', '.join(words)}; needs {record.min_equal_pixels:.2%}"


def has_cuda(model: Path) -> bool:
    """Whether ONNX Runtime obtains CUDA for a graph of `model`. Its list of providers also has what it cannot load."""
    return open_session(ModelFolder(model).graphs()[0], "auto").get_providers()[0] == NAMES["cuda"]
