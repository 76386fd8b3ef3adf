"""The hooks of a family: what code outside its package `pixelwise/families/NAME/` may use.

    family.py              Family, in `learning.py`: training and the graphs to export
    params.py              TrainParams: training parameters, section `FAMILY.train`; no torch
    options.py             Options: options of an exported model
    runtime/model.py       Runtime: inference on pictures and video; no torch
    measure/evaluation.py  Measure: scores of an exported model, and what the release gate judges
    measure/engines.py     Engines: what a benchmark times
    service/routes.py      Requests: the HTTP requests that `pixelwise serve` answers

A command that only one family has is a module in the folder `verbs` of its package. A kind of study that only one
family has stands in `KINDS` of its package `studies`; see `pixelwise/studies/kinds.py`.

A family with one graph, pictures in and labels out, needs only the first two. For the others it shares
`pixelwise/families/options.py`, `pixelwise/inference/session.py`, `pixelwise/evaluation/images.py`,
`pixelwise/families/engines.py` and `pixelwise/serving/pictures.py`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.inference.session import Provider
from pixelwise.params import Params
from pixelwise.registry.limits import ReleaseParams
from pixelwise.timing import Engine

if TYPE_CHECKING:
    # Only for types: inference must not import the data set readers.
    from pixelwise.data.splits import Split

# Opens the split to score, with the layers that the model needs beside pictures and labels.
OpenSplit = Callable[[tuple[str, ...]], "Split"]


class Stream(Protocol):
    """Labels the frames of videos one by one. Its state does not grow with the length of the video."""

    def reset(self) -> None:
        """Start a new video."""

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:
        """Label the next frame (H, W, 3) uint8 RGB. `follows` False: frames before it were lost. Returns (H, W) uint8.

        Raises ModelError if the frame has another shape or type.
        """

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """Add the stream's information about the last frame to its overlay (H, W, 3). The result may be higher."""

    def summary(self) -> str:
        """One line about all videos so far; empty if there is nothing to report."""


class Predictor(Protocol):
    """An open model that labels pictures and video."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the model's inputs; only `image` if it needs no more than pictures."""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names of the labels."""

    @property
    def palette(self) -> tuple[tuple[int, int, int], ...]:
        """One colour per class."""

    @property
    def provider(self) -> str:
        """What it runs on: an execution provider of ONNX Runtime, or OpenVINO and its precision."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Label images (N, H, W, 3) uint8 RGB. Returns (N, H, W) uint8. Raises ModelError for other shapes or types."""

    def stream(self) -> Stream:
        """A stream that labels the frames of videos."""


@runtime_checkable
class ConfidentPredictor(Predictor, Protocol):
    """A predictor of a family that can also give the probability of each label."""

    @property
    def gives_confidence(self) -> bool:
        """Whether this model gives confidence; one that was exported before does not."""

    def predict_with_confidence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `predict`, and the probability of each label, (N, H, W) float32 in (0, 1]."""


class Options(Protocol):
    """The options of an exported model. The classes extend those of `pixelwise/families/options.py`."""

    # The options of `pixelwise predict`.
    PredictParams: type[Params]
    # Section `<family>.evaluate`, and the options of `pixelwise evaluate`.
    EvaluateParams: type[Params]
    # Section `<family>.release`: what a champion must show.
    ReleaseParams: type[ReleaseParams]


class Runtime(Protocol):
    """Inference with an exported model on pictures and video, with NumPy and ONNX Runtime only."""

    def open_model(self, model: Path, provider: Provider = "auto", **options: Any) -> Predictor:
        """Open the exported `model`, a folder or an .onnx file. options: the fields of the family's own PredictParams.

        Raises ModelError if the model is missing, damaged or of another family, ProviderError if the provider is not
        available, ParamsError if an option names something unknown.
        """


class Report(Protocol):
    """The result of an evaluation. The command prints its text form."""

    def metrics(self) -> Mapping[str, Any]:
        """The content of metrics.json: fractions, milliseconds and names.

        model_sha256, dataset, split and data name what was scored. measures: for the table that ends a run, the name of
        a measure -> its key. scored_on: the units, in words.
        """


class Measure(Protocol):
    """Evaluation of an exported model."""

    def evaluate(self, params: Any, model: Path, open_split: OpenSplit, out: Path | None) -> Report:
        """Score the exported `model` on a split; with `out`, write metrics.json and more to that folder.

        measurements.npz there holds what the release gate judges; see `pixelwise/metrics/measurement.py`.

        params: the family's EvaluateParams, whose field `split` names the split.
        Raises DataError if the split is empty or its classes do not match the model's, ModelError if the model cannot
        run.
        """


class Engines(Protocol):
    """What a benchmark of an exported model times."""

    def open_engines(
        self, params: BenchmarkParams, model: Path, data: Path | None, threads: int
    ) -> tuple[dict[str, Engine], dict[str, str]]:
        """Open the engines of the exported `model`. Returns engines by name, and why others are left out.

        The first engine labels one picture with ONNX Runtime. So does the first of each other `provider`: the fastest
        that labels enough pixels alike is served, and the release gate limits its median. data: prepared data, whose
        pictures are compared and whose clips are labelled. threads: of every engine.

        Raises ModelError if the model cannot be opened, ProviderError if the device is not available.
        """


class ServedModel(Protocol):
    """An open model behind a server. The routes of its family know what else it has."""

    @property
    def names(self) -> tuple[str, ...]:
        """The class names of the labels; empty if each request names its own."""

    @property
    def provider(self) -> str:
        """What it runs on: an execution provider of ONNX Runtime, or OpenVINO and its precision."""


class Requests(Protocol):
    """The HTTP requests that a served model of the family answers."""

    def open_served(self, model: Path, device: Provider) -> Any:
        """Open the exported `model`, a folder or an .onnx file, and prove that it runs. Returns a ServedModel.

        Raises ModelError, which names `model`, if it is missing or does not run, ProviderError if `device` is not
        available.
        """

    def make_routes(self, service: Any) -> Any:
        """The routes of the family around a `pixelwise.serving.service.Service`, a FastAPI APIRouter.

        A handler reads and answers inside `service.take`, which limits the request, and keeps what a client's next
        request needs in `service.sessions`.
        """
