"""The data, models and functions that all variants of a study use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.prepared import PreparedData
from pixelwise.families import find
from pixelwise.params import parse
from pixelwise.studies.study import Study, Variant, merge_base, parse_training


@dataclass(frozen=True)
class Bench:
    """The data, the folder of trained nets, and the functions that train, identify and export.

    train, origin: `learn` and `origin` of the training step. export: writes the graphs of a training's folder to
    another folder. model: a given exported model, which a kind that trains one net uses instead of its own.
    """

    data: PreparedData
    models: Path
    params_file: Path
    tracking: str | None
    is_quick: bool
    train: Callable[..., Any]
    origin: Callable[..., Any]
    export: Callable[..., Any]
    model: Path | None = None

    def parse_params(self, study: Study, variant: Variant, seed: int) -> Any:
        """Parse the training parameters of one run."""
        return parse_training(study, variant, seed, find(study.family).TrainParams, self.params_file, self.is_quick)

    def merge_base(self, study: Study) -> dict[str, Any]:
        """Merge the training parameters that all variants share."""
        return merge_base(study, find(study.family).TrainParams, self.params_file)

    def find_val_split(self, study: Study) -> str:
        """Find the split that the study scores."""
        params: Any = parse(find(study.family).TrainParams, self.merge_base(study), f"study {study.name}")
        return str(params.val_split)

    def find_folder(self, study: Study, params: Any) -> Path:
        """Find the folder of the training with these parameters. Its name is the training's fingerprint."""
        return self.models / self.origin(params, study.family, self.data.root)["fingerprint"][:16]
