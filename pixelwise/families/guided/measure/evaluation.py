"""Evaluate a guided model: clips followed from their first frame, or objects as few pictures say (thesis §4.4)."""

import importlib
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from pixelwise.data.splits import Split, clip_and_frame, open_split
from pixelwise.errors import ParamsError
from pixelwise.families.guided.measure.categories import CategoryScores, Support, Tuner, open_floor, score_categories
from pixelwise.families.guided.measure.interactive import score_interactive
from pixelwise.families.guided.measure.video import VideoScores, score_sequences
from pixelwise.families.guided.runtime.session import GuidedModel
from pixelwise.files import write_json
from pixelwise.inference.session import Provider
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params
from pixelwise.registry.references import resolve_model_folder

# Of these, whole clips are followed.
VIDEO = ("davis",)


class GuidedEvaluateParams(Params):
    """Section `guided.evaluate`.

    Interactive segmentation has points and one picture, as its support is the query.
    """

    renamed: ClassVar = {"apart": "separate_objects", "finetune": "finetune_steps"}

    split: str = Field("val", min_length=1, description="split of the data to score")
    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    points: NonNegativeInt = Field(0, description="points of each class that annotate a support; 0: dense masks")
    shots: PositiveInt = Field(1, description="pictures of a support, or frames of a clip from its first on")
    interactive: bool = Field(False, description="whether the points lie in the very picture that is segmented")
    separate_objects: bool = Field(
        False, description="score the objects of a clip one by one, as DAVIS 2017 does, not as one class"
    )
    finetune_steps: NonNegativeInt = Field(0, description="steps of the fine-tuning that is compared with; 0: none")
    classes: tuple[str, ...] = Field((), description="categories that are scored, joined by commas; none: all")
    tasks: PositiveInt = Field(40, description="most tasks that are scored, spread over the categories")
    seed: NonNegativeInt = Field(0, description="seed of supports and points")

    @property
    def layers(self) -> tuple[str, ...]:
        """What of the data is needed beside images and labels."""
        return ("instance",) if self.separate_objects else ()

    @model_validator(mode="after")
    def require_one_kind(self) -> "GuidedEvaluateParams":
        """Interactive segmentation has points, one picture and no fine-tuning."""
        if self.interactive and (not self.points or self.shots > 1 or self.finetune_steps):
            found = f"points {self.points}, shots {self.shots}, finetune_steps {self.finetune_steps}"
            raise ParamsError(f"interactive: found {found}, expected points, one shot and no fine-tuning")
        return self


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
    found = score(params, resolve_model_folder(model), open_split(params.split, data, dataset, root, params.layers))
    for file in [json, out / "metrics.json" if out else None]:
        if file:
            write_json(file, found.metrics())
    return found


def score(params: GuidedEvaluateParams, model: Path, split: Split) -> VideoScores | CategoryScores:
    """The scores of the exported `model` on a split: clips of davis are followed, of all else categories segmented."""
    guided, points = GuidedModel(model, params.provider), params.points or None
    if split.dataset in VIDEO:
        clips = [clip_and_frame(split.samples, place)[0] for place in range(len(split.samples))]
        return score_sequences(guided, split.samples, clips, points, params.seed, params.shots, params.separate_objects)
    wanted = Support(params.shots, points, params.tasks, params.seed)
    given = (guided, open_floor(model, params.provider), split.samples, split.classes.names, params.classes, wanted)
    return (
        score_interactive(*given)
        if params.interactive
        else score_categories(*given, tuner(model, params.finetune_steps))
    )


def tuner(model: Path, steps: int) -> Tuner | None:
    """Fine-tuning of the training beside the exported `model`, or with it; none of no steps."""
    if not steps:
        return None
    # By name, as families are found: this one baseline learns, and scoring without it needs no torch.
    learning = importlib.import_module("pixelwise.families.guided.finetuning")
    checkpoint = ModelFolder(model).checkpoint
    found: Tuner = learning.FineTuning(checkpoint if checkpoint.is_dir() else model, steps)
    return found
