"""Evaluate a guided model: clips followed from their first frame, or objects as few pictures say (thesis §4.4)."""

import importlib
from pathlib import Path

from pixelwise.data.splits import Split, read_clip_and_frame
from pixelwise.families.guided.measure.categories import CategoryScores, Support, Tuner, open_floor, score_categories
from pixelwise.families.guided.measure.interactive import score_interactive
from pixelwise.families.guided.measure.video import VideoScores, score_sequences
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.families.guided.runtime.session import GuidedModel
from pixelwise.families.hooks import OpenSplit
from pixelwise.files import write_json
from pixelwise.model_folder import ModelFolder

# Of these, whole clips are followed.
VIDEO = ("davis",)


def evaluate(
    params: EvaluateParams, model: Path, open_split: OpenSplit, out: Path | None
) -> VideoScores | CategoryScores:
    """The scores of an exported guided model: J on clips of davis, which are followed, else positive IU of categories.

    With `out`, metrics.json is written there. Raises DataError where the split is empty or too small, ModelError where
    the model cannot run.
    """
    found = score(params, model, open_split(params.layers))
    if out:
        write_json(out / "metrics.json", found.metrics())
    return found


def score(params: EvaluateParams, model: Path, split: Split) -> VideoScores | CategoryScores:
    """The scores of the exported `model` on a split."""
    guided, points = GuidedModel(model, params.provider), params.points or None
    if split.dataset in VIDEO:
        clips = [read_clip_and_frame(split.samples, place)[0] for place in range(len(split.samples))]
        return score_sequences(guided, split.samples, clips, points, params.seed, params.shots, params.separate_objects)
    wanted = Support(params.shots, points, params.tasks, params.seed)
    given = (guided, open_floor(model, params.provider), split.samples, split.classes.names, params.classes, wanted)
    return (
        score_interactive(*given)
        if params.interactive
        else score_categories(*given, tuner(model, params.finetune_steps))
    )


def evidence(evaluation: Path) -> list[Path]:
    """The files in `evaluation` for the release gate: no counts an image, so that the gate cannot judge a guide."""
    return [evaluation / "metrics.json"]


def tuner(model: Path, steps: int) -> Tuner | None:
    """Fine-tuning of the training beside the exported `model`, or with it; none of no steps."""
    if not steps:
        return None
    # By name, as families are found: this one baseline learns, and scoring without it needs no torch.
    learning = importlib.import_module("pixelwise.families.guided.finetuning")
    checkpoint = ModelFolder(model).checkpoint
    found: Tuner = learning.FineTuning(checkpoint if checkpoint.is_dir() else model, steps)
    return found
