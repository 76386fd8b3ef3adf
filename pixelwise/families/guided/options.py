"""Options of an exported guided model."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from pixelwise.errors import ParamsError
from pixelwise.families import options
from pixelwise.inference.session import Provider
from pixelwise.params import Params
from pixelwise.registry import limits


class EvaluateParams(Params):
    """Section `guided.evaluate`.

    Interactive segmentation needs points and one shot, as its support is the query.
    """

    renamed: ClassVar = {"apart": "separate_objects", "finetune": "finetune_steps"}

    split: str = Field("val", min_length=1, description="split of the data to score")
    provider: Provider = Field("auto", description="ONNX Runtime on cpu or cuda (auto: cuda if any), or openvino")
    points: NonNegativeInt = Field(0, description="points of each class that annotate a support; 0: dense masks")
    shots: PositiveInt = Field(1, description="pictures of a support, or annotated frames of a clip")
    interactive: bool = Field(False, description="whether the points lie in the picture that is segmented")
    clicks: NonNegativeInt = Field(
        0, description="corrective clicks on each object, the field's test of interactive segmentation; 0: no clicks"
    )
    separate_objects: bool = Field(
        False, description="score each object of a clip separately, as DAVIS 2017 does, instead of all as one class"
    )
    finetune_steps: NonNegativeInt = Field(0, description="steps of the fine-tuning baseline; 0: no such baseline")
    classes: tuple[str, ...] = Field((), description="categories to score, separated by commas; empty: all")
    tasks: PositiveInt = Field(40, description="maximum number of tasks to score, spread over the categories")
    seed: NonNegativeInt = Field(0, description="seed of supports and points")

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of the data that are needed beside images and labels."""
        return ("instance",) if self.separate_objects else ()

    @model_validator(mode="after")
    def require_one_kind(self) -> "EvaluateParams":
        """Raise ParamsError if interactive segmentation lacks points, or has several shots or fine-tuning.

        Clicks go with none of them.
        """
        if self.clicks and (self.points or self.interactive or self.shots > 1 or self.finetune_steps):
            options = f"points {self.points}, interactive {self.interactive}, shots {self.shots}"
            raise ParamsError(f"clicks: found {options}, expected no points, one shot and no fine-tuning")
        if self.interactive and (not self.points or self.shots > 1 or self.finetune_steps):
            options = f"points {self.points}, shots {self.shots}, finetune_steps {self.finetune_steps}"
            raise ParamsError(f"interactive: found {options}, expected points, one shot and no fine-tuning")
        return self


class PredictParams(options.LabelParams):
    """No section; options of a guided model."""

    guidance: Path | None = Field(None, description="guidance file, from `pixelwise guide` or the studio")


class ReleaseParams(limits.ReleaseParams):
    """Section `guided.release`: what a challenger must show to become champion."""

    positive_iu_floor: float = Field(
        0.15, ge=0, le=1, description="minimum positive IU over tasks, or J over sequences, of a champion"
    )

    @property
    def floor(self) -> float:
        """The minimum positive IU."""
        return self.positive_iu_floor
