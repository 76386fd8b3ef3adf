"""The hooks of a family: what code outside its room `pixelwise/families/NAME/` may use of it.

    family.py              Family, in `learning.py`: how its nets learn and which graphs they export
    params.py              TrainParams: what a user sets of its training, section `FAMILY.train`; no torch
    options.py             Options: what a user sets of an exported model
    runtime/model.py       Runtime: how an exported model labels pictures and video; no torch
    measure/evaluation.py  Measure: how an exported model is scored, and what the release gate judges

Verbs of the command line that one family alone has stand in the folder `verbs` of its room, a module each.

A family of one graph, pictures in and labels out, has the first two alone. Instead of the others it shares
`pixelwise/families/options.py`, `pixelwise/inference/session.py` and `pixelwise/evaluation/images.py`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pixelwise.inference.session import Provider
from pixelwise.params import Params

if TYPE_CHECKING:
    # Labelling needs no data set, nor what reads one.
    from pixelwise.data.splits import Split

# The split that is scored, with the layers that the model needs beside pictures and labels.
OpenSplit = Callable[[tuple[str, ...]], "Split"]


class Stream(Protocol):
    """Labels the frames of videos one by one. It may hold state of the frames before, however long the video."""

    def reset(self) -> None:
        """Begin another video."""

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:
        """The label (H, W) uint8 of the next frame (H, W, 3) uint8 RGB. `follows` False: frames before it were lost.

        Raises ModelError where the frame is of another kind.
        """

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """The overlay (H, W, 3) of the last frame with what the stream has to show of it; it may grow in height."""

    def summary(self) -> str:
        """What the stream did over all videos, in one line; empty where there is nothing to say."""


class Predictor(Protocol):
    """An open model that labels pictures and video."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the model takes by name; `image` alone where pictures are enough."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of its labels."""

    @property
    def palette(self) -> tuple[tuple[int, int, int], ...]:
        """A colour a class."""

    @property
    def provider(self) -> str:
        """Where ONNX Runtime computes."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Labels (N, H, W) uint8 of images (N, H, W, 3) uint8 RGB. Raises ModelError where they are of another kind."""

    def stream(self) -> Stream:
        """What labels the frames of videos."""


class Options(Protocol):
    """What a user sets of an exported model. Both extend those of `pixelwise/families/options.py`."""

    # The options of `pixelwise predict`.
    PredictParams: type[Params]
    # Section `<family>.evaluate`, and the options of `pixelwise evaluate`.
    EvaluateParams: type[Params]


class Runtime(Protocol):
    """How an exported model labels pictures and video: NumPy and ONNX Runtime alone.

    Where a server cannot take a model, since it is more than one graph, the text INSTEAD_OF_SERVING says what can.
    """

    def open_model(self, model: Path, provider: Provider = "auto", **options: Any) -> Predictor:
        """The exported `model`, a folder or an .onnx file. options: the fields of the family's own PredictParams.

        Raises ModelError where it is missing, damaged or no model of this family, ProviderError where the provider
        cannot be had, ParamsError where an option names nothing.
        """


class Report(Protocol):
    """What an evaluation found; as text it is what the command prints."""

    def metrics(self) -> Mapping[str, Any]:
        """The content of metrics.json: fractions, milliseconds and names."""


class Measure(Protocol):
    """How an exported model is scored."""

    def evaluate(self, params: Any, model: Path, open_split: OpenSplit, out: Path | None) -> Report:
        """The scores of the exported `model` on a split; with `out`, metrics.json and more are written to that folder.

        params: the family's EvaluateParams, whose field `split` names what is scored.
        Raises DataError where the split is empty or its classes are not the model's, ModelError where the model cannot
        run.
        """

    def evidence(self, evaluation: Path) -> list[Path]:
        """The files in the folder `evaluation` that the release gate judges; `evaluate` wrote them."""
