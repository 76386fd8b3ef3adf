"""Evaluate a guided model: clips followed from their first frame, or objects as few pictures say (thesis §4.4)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from components.datasets.splits import clip_and_frame, open_split
from components.files import write_json
from components.guiding.categories import CategoryScores, Support, open_floor, score_categories
from components.guiding.video import VideoScores, score_sequences
from components.params import Params
from components.runtime.guided import GuidedModel
from components.runtime.session import Provider
from components.tracking.models import model_folder

# Of these, whole clips are followed.
VIDEO = ("davis",)


class GuidedEvaluateParams(Params):
    """Section `guided.evaluate`."""

    split: str = Field("val", min_length=1, description="split of the data to score")
    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    points: NonNegativeInt = Field(0, description="points of each class that annotate a support; 0: dense masks")
    shots: PositiveInt = Field(1, description="pictures of a support; clips have their first frame")
    classes: tuple[str, ...] = Field((), description="categories that are scored, joined by commas; none: all")
    tasks: PositiveInt = Field(2000, description="most tasks that are scored, spread over the categories")
    seed: NonNegativeInt = Field(0, description="seed of supports and points")


def run(
    params: GuidedEvaluateParams,
    model: Annotated[Path, "folder of the exported guided model, or models:/NAME@ALIAS"],
    *,
    out: Annotated[Path | None, "folder for metrics.json"] = None,
    data: Annotated[Path | None, "prepared data; or give --dataset and --root"] = None,
    dataset: Annotated[str | None, "how to read --root, such as davis or coco_mval"] = None,
    root: Annotated[Path | None, "folder of a data set as it comes"] = None,
    json: Annotated[Path | None, "file to write the scores to as JSON"] = None,
) -> VideoScores | CategoryScores:
    """Score a guided model through ONNX Runtime: J on clips of davis, else positive IU of the categories.

    Raises DataError where the split is empty or too small, ModelError where the model cannot run.
    """
    model = model_folder(model)
    guided = GuidedModel(model, params.provider)
    split = open_split(params.split, data, dataset, root, ())
    points = params.points or None
    found: VideoScores | CategoryScores
    if dataset in VIDEO:
        clips = [clip_and_frame(split.samples, place)[0] for place in range(len(split.samples))]
        found = score_sequences(guided, split.samples, clips, points, params.seed)
    else:
        wanted = Support(params.shots, points, params.tasks, params.seed)
        floor = open_floor(model, params.provider)
        found = score_categories(guided, floor, split.samples, split.classes.names, params.classes, wanted)
    for file in [json, out / "metrics.json" if out else None]:
        if file:
            write_json(file, found.metrics())
    return found
