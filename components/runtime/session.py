"""Open an exported model and label pictures with it, on the execution provider that was asked for."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort

from components.errors import ModelError, ProviderError

Provider = Literal["auto", "cpu", "cuda"]
NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
GRAPH_FILE = "model.onnx"


@dataclass(frozen=True)
class Segmenter:
    """A model of one graph: pictures in, labels out. `provider` is the one that really runs it."""

    session: ort.InferenceSession
    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    provider: str
    metadata: dict[str, str]

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the graph takes: image, and depth or hha where it was trained with them."""
        return tuple(given.name for given in self.session.get_inputs())

    def predict(self, images: np.ndarray, **layers: np.ndarray) -> np.ndarray:
        """Label `images` (N, H, W, 3) uint8 RGB of any size. Returns (N, H, W) uint8 class indices.

        layers: further inputs by name, hha like the images and depth (N, H, W) in centimetres. Raises ModelError where
        an array is not of that kind, or the graph takes one that is not given.
        """
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ModelError(f"images: found {images.dtype} {images.shape}, expected uint8 (N, H, W, 3)")
        given = {"image": images, **layers}
        if missing := set(self.inputs) - set(given):
            raise ModelError(f"model: takes {' and '.join(self.inputs)}, found no {' and no '.join(sorted(missing))}")
        feeds = {name: given[name].astype(np.int32) if name == "depth" else given[name] for name in self.inputs}
        (prediction,) = self.session.run(["prediction"], feeds)
        return prediction


def open_model(model: Path, provider: Provider = "auto", threads: int | None = None) -> Segmenter:
    """Open `model`, a folder that holds model.onnx or an .onnx file, on `provider`.

    Raises ModelError where it is missing, unreadable or not one of ours, ProviderError where `provider` cannot be had.
    """
    session = open_session(graph_file(model), provider, threads)
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        names = tuple(json.loads(metadata["classes"]))
        palette = tuple((red, green, blue) for red, green, blue in json.loads(metadata["palette"]))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{model}: no {error} in its metadata, expected a graph of `pixelwise export`") from None
    if "prediction" not in (given := [output.name for output in session.get_outputs()]):
        raise ModelError(f"{model}: gives {' and '.join(given)}, expected prediction")
    return Segmenter(session, names, palette, session.get_providers()[0], metadata)


def graph_file(model: Path) -> Path:
    """The graph that `model` names."""
    file = model / GRAPH_FILE if model.is_dir() else model
    if not file.is_file():
        raise ModelError(f"{file}: no such file, expected what `pixelwise export` writes")
    return file


def open_session(file: Path, provider: Provider, threads: int | None = None) -> ort.InferenceSession:
    """A session on the provider asked for, or an error: ONNX Runtime itself falls back to the CPU in silence."""
    # Loading a provider that the machine lacks prints errors, though the session then says which one it got.
    ort.set_default_logger_severity(4)
    if provider != "cpu" and hasattr(ort, "preload_dlls"):
        # CUDA's libraries come as Python packages, where the system's loader does not look.
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = threads
    wanted = [NAMES["cuda"], NAMES["cpu"]] if provider == "auto" else [NAMES[provider]]
    available = [name for name in wanted if name in ort.get_available_providers()]
    if not available:
        raise ProviderError(f"provider {provider}: not in this build of ONNX Runtime, expected cpu or auto")
    try:
        session = ort.InferenceSession(file, options, providers=available)
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this.
        raise ModelError(f"{file}: not a graph that ONNX Runtime can load ({' '.join(str(error).split())})") from None
    obtained = session.get_providers()[0]
    if provider != "auto" and obtained != NAMES[provider]:
        raise ProviderError(f"provider {provider}: asked for {NAMES[provider]}, obtained {obtained}")
    return session
