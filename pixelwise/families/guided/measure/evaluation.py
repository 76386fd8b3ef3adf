"""Evaluate a guided model: track clips from their first frame, or segment objects from few pictures (thesis §4.4)."""

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pixelwise.data.prepared import Sample
from pixelwise.data.splits import Split, read_clip_and_frame
from pixelwise.errors import ModelError, ParamsError
from pixelwise.families.guided.measure.categories import (
    open_baseline,
    score_categories,
)
from pixelwise.families.guided.measure.clicks import ClickScores, score_clicks
from pixelwise.families.guided.measure.interactive import score_interactive
from pixelwise.families.guided.measure.segmenters import EarlySegmenter, LateSegmenter, Segmenter, Tuner
from pixelwise.families.guided.measure.tally import CategoryScores, Sampling
from pixelwise.families.guided.measure.video import VideoScores, score_sequences
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.families.guided.runtime.early import EarlyModel, is_early
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.working_size import reduce
from pixelwise.families.hooks import OpenSplit
from pixelwise.files import write_bytes, write_json
from pixelwise.inference.exported_models import identify
from pixelwise.inference.session import Provider
from pixelwise.metrics.measurement import MEASUREMENTS, write_measurements
from pixelwise.model_folder import ModelFolder
from pixelwise.tracking import record_measures

# The curves of IoU over clicks.
CURVES = "clicks.png"
# Data sets whose clips are tracked.
VIDEO = ("davis",)


def evaluate(
    params: EvaluateParams, model: Path, open_split: OpenSplit, out: Path | None
) -> VideoScores | CategoryScores | ClickScores:
    """Return the scores of an exported guided model: J on the clips of davis, otherwise positive IU of categories.

    With `clicks`, it is the table of corrective clicks. With `out`, write metrics.json and measurements.npz there, and
    the curves of clicks. Raises DataError if the split is empty or too small,
    ModelError if the model cannot run.
    """
    split = open_split(params.layers)
    origin = {"dataset": split.dataset, "split": params.split, "data": split.data_sha256}
    scores = replace(score(params, model, split), origin={**origin, "model_sha256": identify(model)})
    if out:
        write_json(out / "metrics.json", scores.metrics())
        write_measurements(out / MEASUREMENTS, [scores.measurement])
        if isinstance(scores, ClickScores):
            write_bytes(out / CURVES, scores.plot())
        record_measures(model, scores.metrics())
    return scores


def score(params: EvaluateParams, model: Path, split: Split) -> VideoScores | CategoryScores | ClickScores:
    """Return the scores of the exported `model` on a split."""
    points = params.points or None
    if params.clicks:
        samples, names = Reduced(split.samples), split.classes.names
        return score_clicks(open_late(params, model), samples, names, params.classes, params.clicks, params.tasks)
    if split.dataset in VIDEO:
        require_tracking(params)
        guided = open_late(params, model)
        clips = [read_clip_and_frame(split.samples, index)[0] for index in range(len(split.samples))]
        return score_sequences(guided, split.samples, clips, points, params.seed, params.shots, params.separate_objects)
    sampling = Sampling(params.shots, points, params.tasks, params.seed, params.interactive)
    score_tasks = score_interactive if params.interactive else score_categories
    segmenter = open_segmenter(params, model)
    return score_tasks(segmenter, Reduced(split.samples), split.classes.names, params.classes, sampling)


def require_tracking(params: EvaluateParams) -> None:
    """Raise ParamsError if clips cannot be scored as `params` say."""
    if params.interactive or params.finetune_steps:
        found = f"interactive {params.interactive}, finetune_steps {params.finetune_steps}"
        raise ParamsError(f"guided.evaluate: found {found}, expected neither for clips, which are tracked")


def open_late(params: EvaluateParams, model: Path) -> GuidedModel:
    """Open the late guide of `model`. Raises ModelError if it is one by early fusion."""
    if is_early(model):
        raise ModelError(
            f"{model}: found a guide by early fusion, expected a late one, which tracks clips and takes clicks"
        )
    return GuidedModel(model, params.provider)


def open_segmenter(params: EvaluateParams, model: Path) -> Segmenter:
    """Open the graphs of the exported `model`, and the fine-tuned baseline if `params` ask for one."""
    # torch fine-tunes on the processor that OpenVINO labels on.
    tuner = open_tuner(model, params.finetune_steps, "cpu" if params.provider == "openvino" else params.provider)
    if is_early(model):
        return EarlySegmenter(EarlyModel(model, params.provider))
    return LateSegmenter(GuidedModel(model, params.provider), open_baseline(model, params.provider), tuner)


class Reduced(Sequence[Sample]):
    """Samples at the size at which their pictures are labelled, so that memory does not grow with the pictures."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        sample = self.samples[index]
        return replace(sample, image=reduce(sample.image), label=reduce(sample.label))


def open_tuner(model: Path, steps: int, device: Provider) -> Tuner | None:
    """Open the fine-tuning baseline on `device`; None if `steps` is 0.

    It starts from the checkpoint of the exported `model`'s folder, or from `model` itself if there is none.
    """
    if not steps:
        return None
    # Imported by name, as families are: only this baseline needs torch.
    learning = importlib.import_module("pixelwise.families.guided.finetuning")
    checkpoint = ModelFolder(model).checkpoint
    tuner: Tuner = learning.FineTuning(checkpoint if checkpoint.is_dir() else model, steps, device)
    return tuner
