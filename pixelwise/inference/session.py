"""Open an exported model and label pictures with it, on the requested execution provider."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime as ort

from pixelwise.errors import ModelError, ProviderError
from pixelwise.inference.binding import Value, read_shape, run_bound
from pixelwise.inference.graph_session import GraphSession
from pixelwise.inference.metadata import require_recorded, require_sealed
from pixelwise.inference.openvino_session import OpenVINOSession
from pixelwise.inference.tiles import SIDE, label_tiles
from pixelwise.model_folder import ModelFolder

Provider = Literal["auto", "cpu", "cuda", "openvino"]
NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# The output with the data set's classes; a graph that has it lists it first.
PREDICTION = "prediction"
# The optional output with the probability of each label of the first output. It is computed where the input is true.
CONFIDENCE, WITH_CONFIDENCE = "confidence", "with_confidence"
# The classes of the output `geometry` (thesis §2.4), the same in every data set that has it.
GEOMETRY = ("sky", "horizontal", "vertical")
# Characters of an error of an engine that are kept; the rest repeats sizes.
LONGEST_REASON = 200
NO_CONFIDENCE = "gives no confidence, since its training fitted no temperature; train and export it again"
GEOMETRY_PALETTE = ((70, 130, 180), (128, 64, 128), (190, 153, 153))


class Labelled(Protocol):
    """A sample with a model's inputs and labels."""

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
    """A model of one graph that labels pictures.

    names, palette: of the classes of its first output. provider: what the session runs on.
    tile: pictures with a longer side are labelled in tiles of this side (pixelwise/inference/tiles.py).
    """

    session: GraphSession
    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]
    provider: str
    metadata: dict[str, str]
    tile: int = SIDE

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the graph's inputs: image, and depth or hha if it was trained with them."""
        return tuple(given.name for given in self.session.get_inputs())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the label maps that the graph gives: prediction, geometry or both, in this order."""
        return tuple(given.name for given in self.session.get_outputs() if given.name != CONFIDENCE)

    @property
    def gives_confidence(self) -> bool:
        """Whether the graph can also give the probability of each label."""
        return any(given.name == CONFIDENCE for given in self.session.get_outputs())

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the data's layers that the model takes as input or is scored against."""
        return tuple(name for name in (*self.inputs, *self.outputs) if name not in ("image", PREDICTION))

    def predict(self, images: np.ndarray, **layers: np.ndarray) -> np.ndarray:
        """Label `images` (N, H, W, 3) uint8 RGB of any size. Returns the first output, (N, H, W) uint8 class indices.

        layers: further inputs by name, hha like the images and depth (N, H, W) in centimetres. Raises ModelError where
        image or hha has another shape or type, an input of the graph is missing, or the engine fails.
        """
        return self.label({"image": images, **layers})[self.outputs[0]]

    def predict_with_confidence(self, images: np.ndarray, **layers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Label `images` as `predict` does; also return the probability of each label, (N, H, W) float32 in (0, 1].

        Raises as `predict`, and ModelError where the graph gives no confidence.
        """
        maps = self.label({"image": images, **layers}, confidence=True)
        return maps[self.outputs[0]], maps[CONFIDENCE]

    def label(self, inputs: Mapping[str, np.ndarray], confidence: bool = False) -> dict[str, np.ndarray]:
        """Return every label map by name, (N, H, W) uint8. `inputs` holds the inputs by name.

        confidence: also return the probability of the first map's labels as `confidence`, (N, H, W) float32. Raises as
        `predict_with_confidence`.
        """
        if confidence and not self.gives_confidence:
            raise ModelError(f"model: {NO_CONFIDENCE}")
        feeds = self.select_inputs(inputs)
        count, height, width = feeds[self.inputs[0]].shape[:3]
        if max(height, width) <= self.tile:
            return self.run(feeds, confidence)
        # One picture at a time: a batch of large pictures must not need more memory than one of them.
        alone = [{name: values[index : index + 1] for name, values in feeds.items()} for index in range(count)]
        found = [label_tiles(partial(self.run, confidence=confidence), feed, self.tile) for feed in alone]
        return {name: np.concatenate([maps[name] for maps in found]) for name in found[0]}

    def run(self, feeds: Mapping[str, np.ndarray], confidence: bool = False) -> dict[str, np.ndarray]:
        """Run the graph on its inputs by name, whole; return its maps by name. Raises ModelError where it fails."""
        names = [*self.outputs, CONFIDENCE] if confidence else self.outputs
        switch = {WITH_CONFIDENCE: np.array(True)} if confidence else {}
        return dict(zip(names, run_graph(self.session, names, {**feeds, **switch}), strict=True))

    def stream(self) -> "FrameByFrame":
        """Return a stream that labels every frame of a video independently."""
        return FrameByFrame(self)

    def select_inputs(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Select the graph's inputs from `inputs` and convert them to its types. Raises ModelError as `predict`."""
        if missing := set(self.inputs) - set(inputs):
            raise ModelError(f"model: takes {' and '.join(self.inputs)}, found no {' and no '.join(sorted(missing))}")
        for name in set(inputs) & {"image", "hha"}:
            if inputs[name].ndim != 4 or inputs[name].shape[3] != 3 or inputs[name].dtype != np.uint8:
                type_and_shape = f"{inputs[name].dtype} {inputs[name].shape}"
                raise ModelError(f"{name}: found {type_and_shape}, expected uint8 (N, H, W, 3)")
        return {name: inputs[name].astype(np.int32) if name == "depth" else inputs[name] for name in self.inputs}


@dataclass(frozen=True)
class FrameByFrame:
    """The stream of a model without state: it labels every frame of a video as an independent picture."""

    segmenter: Segmenter

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:  # noqa: ARG002 - a stream's
        """Return the prediction (H, W) uint8 for a frame (H, W, 3) uint8 RGB. Raises as `Segmenter.predict`."""
        label: np.ndarray = self.segmenter.predict(image[None])[0]
        return label

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """Return the overlay unchanged."""
        return overlay

    def summary(self) -> str:
        """Return an empty summary."""
        return ""


def stack_samples(samples: Sequence[Labelled]) -> dict[str, np.ndarray]:
    """Stack the images and layers of samples of equal size into model inputs, (N, H, W) or (N, H, W, 3) each."""
    layers = {name: np.stack([sample.layers[name] for sample in samples]) for name in samples[0].layers}
    return {"image": np.stack([sample.image for sample in samples]), **layers}


def select_truth(output: str, sample: Labelled) -> np.ndarray:
    """Return the label map (H, W) of `sample` against which the model's `output` is scored."""
    return sample.label if output == PREDICTION else sample.layers[output]


def open_model(
    model: Path,
    provider: Provider = "auto",
    threads: int | None = None,
    is_alone: bool = True,
    keeps_memory: bool = True,
    tile: int = SIDE,
) -> Segmenter:
    """Open `model`, a model folder or an .onnx file, on `provider`; other arguments as for `open_session`.

    tile: the side of the tiles in which larger pictures are labelled, a multiple of 128.

    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pixelwise
    >>> model = pixelwise.open_model(Path("models/fcn"))
    >>> prediction = model.predict(np.zeros((1, 24, 32, 3), np.uint8))
    >>> prediction.shape, model.names[prediction[0, 0, 0]]
    ((1, 24, 32), 'red')

    Raises ModelError where the model is missing, unreadable, changed or not written by `pixelwise export`,
    ProviderError where `provider` is not available.
    """
    session = open_session(find_graph_file(model), provider, threads, is_alone, keeps_memory)
    metadata = session.get_modelmeta().custom_metadata_map
    if (outputs := [output.name for output in session.get_outputs()])[0] not in (PREDICTION, "geometry"):
        raise ModelError(f"{model}: gives {' and '.join(outputs)}, expected prediction or geometry")
    try:
        names = tuple(json.loads(metadata["classes"]))
        palette = tuple((red, green, blue) for red, green, blue in json.loads(metadata["palette"]))
    except (KeyError, ValueError) as error:
        raise ModelError(f"{model}: no {error} in its metadata, expected a graph of `pixelwise export`") from None
    if outputs[0] == "geometry":
        names, palette = GEOMETRY, GEOMETRY_PALETTE
    return Segmenter(session, names, palette, session.get_providers()[0], metadata, tile)


def find_graph_file(model: Path) -> Path:
    """Path of the graph of `model`, a model folder or an .onnx file. Raises ModelError where there is none."""
    if model.is_dir():
        return ModelFolder(model).require_graph()
    if not model.is_file():
        raise ModelError(f"{model}: no such file, expected what `pixelwise export` writes")
    return model


def open_session(
    file: Path, provider: Provider, threads: int | None = None, is_alone: bool = True, keeps_memory: bool = True
) -> GraphSession:
    """Open a session on the requested provider; raise an error where ONNX Runtime would silently fall back to the CPU.

    `auto` is CUDA where ONNX Runtime has it, else the CPU in float32. OpenVINO computes in bfloat16 where the processor
    does, which changes labels, and so is used only where it is asked for.

    is_alone: False makes idle threads sleep; busy waiting would take the cores from other work. keeps_memory: True
    saves about a tenth of the time of a large batch on a CPU, and never frees the memory of the largest batch.

    Raises ModelError where the file is no graph, has data in other files or differs from its recorded hash,
    ProviderError where the provider is not available.
    """
    require_sealed(file)
    require_recorded(file)
    if provider == "openvino":
        return open_openvino(file, threads, keeps_memory)
    # Loading a provider that the machine lacks prints errors; `get_providers` below reports the obtained one anyway.
    ort.set_default_logger_severity(4)
    if provider != "cpu" and hasattr(ort, "preload_dlls"):
        # CUDA's libraries are in Python packages, where the system's loader does not search.
        ort.preload_dlls()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    # Threads that spin after a run take the cores from the next graph's threads: three graphs in turn took 2.5 times as
    # long.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if not is_alone:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = keeps_memory
    if threads is not None:
        options.intra_op_num_threads = threads
    requested = [NAMES["cuda"], NAMES["cpu"]] if provider == "auto" else [NAMES[provider]]
    available = [name for name in requested if name in ort.get_available_providers()]
    if not available:
        raise ProviderError(f"provider {provider}: not in this build of ONNX Runtime, expected cpu or auto")
    try:
        session = ort.InferenceSession(file, options, providers=available)
    except Exception as error:  # ONNX Runtime's exceptions have no other common base class.
        raise ModelError(f"{file}: not a graph that ONNX Runtime can load ({' '.join(str(error).split())})") from None
    obtained = session.get_providers()[0]
    if provider != "auto" and obtained != NAMES[provider]:
        raise ProviderError(f"provider {provider}: asked for {NAMES[provider]}, obtained {obtained}")
    return session


def open_openvino(file: Path, threads: int | None, keeps_memory: bool) -> OpenVINOSession:
    """Open a session on OpenVINO. Raises as `open_session`."""
    try:
        return OpenVINOSession(file, threads, keeps_memory)
    except RuntimeError as error:
        # It names the operators that it lacks at the end.
        reason = " ".join(str(error).split())[-LONGEST_REASON:]
        raise ModelError(f"{file}: not a graph that OpenVINO can load (…{reason})") from None


def run_graph(
    session: GraphSession, outputs: Sequence[str] | None, feeds: Mapping[str, Value], stays: bool = False
) -> list[Any]:
    """Run a graph on its inputs by name; return its `outputs` in order, all where None.

    stays: on a GPU, leave the outputs in its memory for the next graph; `fetch` makes arrays of them.

    Raises ModelError where the engine fails, as where memory runs out.
    """
    names = outputs or [output.name for output in session.get_outputs()]
    try:
        return run_bound(session, names, feeds, stays)
    except Exception as error:  # The engines' exceptions have no other common base class.
        sizes = ", ".join(f"{name} {'×'.join(map(str, read_shape(value)))}" for name, value in feeds.items())
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise ModelError(f"{session.get_providers()[0]} failed on {sizes}: {reason}") from None
