"""The record of a study in its JSON file: the runs of its variants, and how they were made."""

import math
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from pixelwise.documents import read_json
from pixelwise.params import Params


class Recorded(Params):
    """Base of recorded values. It ignores unknown keys, so that a file of another version can be redrawn."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Point(Recorded):
    """A point of a loss curve."""

    iteration: float
    seconds: float
    loss: float


class Units(Recorded):
    """Scores unit by unit, packed; see `pixelwise.studies.units`.

    unit: picture, clip, sequence, task, scene or round. sha256: of the labelled pixels by unit: runs with the same hash
    were scored on the same units. dtype, shape, values: an array with an entry per unit, zlib in base64.
    """

    unit: str
    sha256: str
    dtype: str
    shape: tuple[int, ...]
    values: str


class Run(Recorded):
    """One variant with one seed: its measured scores, and the training behind them.

    units: by column, or by what several columns are computed from. frames: for a study over time, the value of every
    frame, one tuple per clip.
    """

    seed: int
    scores: dict[str, float]
    units: dict[str, Units] = Field({})
    fingerprint: str | None = None
    run_id: str | None = None
    experiment: str | None = None
    curve: tuple[Point, ...] = ()
    frames: tuple[tuple[float, ...], ...] = ()
    remark: str = ""

    @field_validator("scores")
    @classmethod
    def keep_finite_scores(cls, scores: dict[str, float]) -> dict[str, float]:
        """Return the finite scores. A diverged training has scores that are not."""
        return {name: score for name, score in scores.items() if math.isfinite(score)}


class Figures(Recorded):
    """The runs of a variant."""

    name: str
    runs: tuple[Run, ...]


class Measured(Recorded):
    """The measurements of a study on one data set, and how they were made.

    model: how a given model was trained. other_work: processor cores that other programs kept busy in the meantime,
    None where this is unknown.
    """

    dataset: str
    data_sha256: str
    split: str
    images: dict[str, int]
    command: str
    is_quick: bool
    parameters: dict[str, Any]
    rows: tuple[Figures, ...]
    commit: str = ""
    machine: str = ""
    minutes: float | None = None
    other_work: float | None = None
    model: dict[str, Any] = Field({})


def read_measured(file: Path) -> Measured:
    """Read the record of an earlier run. Raises DataError if the file is missing or damaged."""
    measured: Measured = read_json(file, f"what `pixelwise study {file.stem}` writes", Measured)
    return measured
