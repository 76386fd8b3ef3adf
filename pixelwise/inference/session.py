"""Open an exported model and label pictures with it, on the execution provider that was asked for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import onnxruntime as ort

from pixelwise.errors import ModelError, ProviderError
from pixelwise.inference.metadata import require_recorded, require_sealed
from pixelwise.model_folder import ModelFolder

Provider = Literal["auto", "cpu", "cuda"]
NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# The map of the data set's classes, which a graph gives first if it gives it.
PREDICTION = "prediction"
# The classes of the map `geometry` (thesis §2.4), the same in every data set that has it.
GEOMETRY = ("sky", "horizontal", "vertical")
GEOMETRY_PALETTE = ((70, 130, 180), (128, 64, 128), (190, 153, 153))


class Labelled(Protocol):
    """A sample, as a model is given it and judged by it."""

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""

    @property
    def label(self) -> np.ndarray:
        """(H, W) uint8, 255 = void."""

    @property
    def layers(self) -> Mapping[str, np.ndarray]:
        """Further maps by name, of the same size."""


@dataclass(frozen=True)
class Segmenter:
    """A model of one graph: pictures in, labels out. `provider` is the one that really runs it.

    `names` and `palette` are those of its first map.
    """

    session: ort.InferenceSession
    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    provider: str
    metadata: dict[str, str]

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the graph takes: image, and depth or hha where it was trained with them."""
        return tuple(given.name for given in self.session.get_inputs())

    @property
    def outputs(self) -> tuple[str, ...]:
        """The maps that the graph gives: prediction, geometry or both, in this order."""
        return tuple(given.name for given in self.session.get_outputs())

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of the data that it takes or is judged by."""
        return tuple(name for name in (*self.inputs, *self.outputs) if name not in ("image", PREDICTION))

    def predict(self, images: np.ndarray, **layers: np.ndarray) -> np.ndarray:
        """Label `images` (N, H, W, 3) uint8 RGB of any size. Returns (N, H, W) uint8 class indices: the first map.

        layers: further inputs by name, hha like the images and depth (N, H, W) in centimetres. Raises ModelError where
        an array is not of that kind, or the graph takes one that is not given.
        """
        return self.label({"image": images, **layers})[self.outputs[0]]

    def label(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Every map that the graph gives, (N, H, W) uint8 by name. `given` and what is raised: as for `predict`."""
        return dict(zip(self.outputs, self.session.run(list(self.outputs), self.feeds(given)), strict=True))

    def stream(self) -> "FrameByFrame":
        """What labels the frames of videos: each on its own."""
        return FrameByFrame(self)

    def feeds(self, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What of `given` the graph takes, of the types that it takes. Raises ModelError like `predict`."""
        if missing := set(self.inputs) - set(given):
            raise ModelError(f"model: takes {' and '.join(self.inputs)}, found no {' and no '.join(sorted(missing))}")
        for name in set(given) & {"image", "hha"}:
            if given[name].ndim != 4 or given[name].shape[3] != 3 or given[name].dtype != np.uint8:
                found = f"{given[name].dtype} {given[name].shape}"
                raise ModelError(f"{name}: found {found}, expected uint8 (N, H, W, 3)")
        return {name: given[name].astype(np.int32) if name == "depth" else given[name] for name in self.inputs}


@dataclass(frozen=True)
class FrameByFrame:
    """Labels every frame of a video as a picture of its own: what a model without state makes of video."""

    segmenter: Segmenter

    def reset(self) -> None:
        """Nothing is kept from frame to frame."""

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:  # noqa: ARG002 - a stream's
        """The label (H, W) uint8 of a frame (H, W, 3) uint8 RGB. Raises as `Segmenter.predict`."""
        label: np.ndarray = self.segmenter.predict(image[None])[0]
        return label

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """The overlay as it is."""
        return overlay

    def summary(self) -> str:
        """Nothing to say."""
        return ""


def stacked(samples: Sequence[Labelled]) -> dict[str, np.ndarray]:
    """The picture and layers of samples of equal size, as a model is given them: each (N, H, W) or (N, H, W, 3)."""
    layers = {name: np.stack([sample.layers[name] for sample in samples]) for name in samples[0].layers}
    return {"image": np.stack([sample.image for sample in samples]), **layers}


def truth(output: str, sample: Labelled) -> np.ndarray:
    """The map (H, W) of `sample` that the model's map `output` is judged by."""
    return sample.label if output == PREDICTION else sample.layers[output]


def open_model(
    model: Path,
    provider: Provider = "auto",
    threads: int | None = None,
    is_alone: bool = True,
    keeps_memory: bool = True,
) -> Segmenter:
    """Open `model`, a model folder or an .onnx file, on `provider`; the rest: as for a session.

    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pixelwise
    >>> model = pixelwise.open_model(Path("models/fcn"))
    >>> prediction = model.predict(np.zeros((1, 24, 32, 3), np.uint8))
    >>> prediction.shape, model.names[prediction[0, 0, 0]]
    ((1, 24, 32), 'red')

    Raises ModelError where it is missing, unreadable, changed or not one of ours, ProviderError where `provider` cannot
    be had.
    """
    session = open_session(graph_file(model), provider, threads, is_alone, keeps_memory)
    metadata = session.get_modelmeta().custom_metadata_map
    if (given := [output.name for output in session.get_outputs()])[0] not in (PREDICTION, "geometry"):
        raise ModelError(f"{model}: gives {' and '.join(given)}, expected prediction or geometry")
    try:
        names = tuple(json.loads(metadata["classes"]))
        palette = tuple((red, green, blue) for red, green, blue in json.loads(metadata["palette"]))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{model}: no {error} in its metadata, expected a graph of `pixelwise export`") from None
    if given[0] == "geometry":
        names, palette = GEOMETRY, GEOMETRY_PALETTE
    return Segmenter(session, names, palette, session.get_providers()[0], metadata)


def graph_file(model: Path) -> Path:
    """The graph of `model`, a model folder or an .onnx file. Raises ModelError where there is none."""
    if model.is_dir():
        return ModelFolder(model).require_graph()
    if not model.is_file():
        raise ModelError(f"{model}: no such file, expected what `pixelwise export` writes")
    return model


def open_session(
    file: Path, provider: Provider, threads: int | None = None, is_alone: bool = True, keeps_memory: bool = True
) -> ort.InferenceSession:
    """A session on the provider asked for, or an error: ONNX Runtime itself falls back to the CPU in silence.

    Raises ModelError where the file is none, has data in other files or is not the one that was written there.

    Not alone, its idle threads sleep instead of waiting busily, which would take the cores from others' work. Keeping
    memory saves about a tenth of the time of a large batch on a CPU, and holds what the largest one took for ever.
    """
    require_sealed(file)
    require_recorded(file)
    # Loading a provider that the machine lacks prints errors, though the session then says which one it got.
    ort.set_default_logger_severity(4)
    if provider != "cpu" and hasattr(ort, "preload_dlls"):
        # CUDA's libraries come as Python packages, where the system's loader does not look.
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # Threads that wait busily after a run take the cores from those of the next graph: three graphs in turns took 2.5
    # times as long.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if not is_alone:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = keeps_memory
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
