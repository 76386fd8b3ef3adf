"""A small FCN of a tiny town, trained and exported by the steps as they are."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import export, train
from components.export import ExportParams
from pixelwise.data.augmentation import AugmentParams
from pixelwise.errors import PixelwiseError
from pixelwise.families.fcn import family as fcn
from pixelwise.families.trainer import Trained

PARAMS = fcn.TrainParams(
    epochs=2,
    batch_size=2,
    warmup_steps=1,
    validate_every=1,
    device="cpu",
    augment=AugmentParams(crop_width=64, crop_height=64),
)


def train_fcn(data: Path, out: Path, params: fcn.TrainParams = PARAMS, state: Path | None = None) -> Trained:
    """Train on the prepared `data`; the state is beside `out` unless it is given."""
    return train.run(params, "fcn", data, out, state or out.with_name(f"{out.name}-state"), tracking="none")


def export_fcn(folder: Path, checkpoint: Path) -> None:
    """Put a trained FCN and its graph into `folder`."""
    shutil.copytree(checkpoint, folder / "checkpoint")
    export.run(ExportParams(), folder / "checkpoint", folder)


def read(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text())


def one_line(act: Callable[[], object], error: type[PixelwiseError]) -> str:
    """The message of the error that `act` raises, which has one line."""
    with pytest.raises(error) as raised:
        act()
    assert "\n" not in str(raised.value)
    return str(raised.value)
