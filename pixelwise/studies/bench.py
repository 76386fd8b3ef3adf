"""The bench of a study: the data, models and steps that all its variants share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelwise.data.prepared import PreparedData
from pixelwise.families import find
from pixelwise.params import parse
from pixelwise.studies.study import Study, Variant, shared, training


@dataclass(frozen=True)
class Bench:
    """The data, the folder of trained nets, and how trainings are run and recorded.

    train, origin: the step's `learn`, and its `origin` of a training. export: from the folder of a training to that of
    its graphs. model: a net in stages that is given, so that studies of video train none.
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

    def params(self, study: Study, variant: Variant, seed: int) -> Any:
        """The training parameters of one run."""
        return training(study, variant, seed, find(study.family).TrainParams, self.params_file, self.is_quick)

    def shared(self, study: Study) -> dict[str, Any]:
        """The training parameters that all variants start from."""
        return shared(study, find(study.family).TrainParams, self.params_file)

    def val_split(self, study: Study) -> str:
        """The split that the study scores."""
        params: Any = parse(find(study.family).TrainParams, self.shared(study), f"study {study.name}")
        return str(params.val_split)

    def place(self, study: Study, params: Any) -> Path:
        """The folder of the training with these parameters, its name the fingerprint that train gives it."""
        return self.models / self.origin(params, study.family, self.data.root)["fingerprint"][:16]
