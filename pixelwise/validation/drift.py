"""Statistics of a data set, and their drift since the last accepted data."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import DataError
from pixelwise.validation.data_summary import DataSummary, stack_pixels

# Manifest column -> display name, and the floor of the standard deviation that a shift is divided by. Without a floor,
# any change to data of constant brightness would be a large shift.
MEASURED = {
    "mean_r": ("mean of red", 1.0),
    "mean_g": ("mean of green", 1.0),
    "mean_b": ("mean of blue", 1.0),
    "std_r": ("contrast of red", 1.0),
    "std_g": ("contrast of green", 1.0),
    "std_b": ("contrast of blue", 1.0),
    "void_share": ("void share", 0.01),
}
SMALLEST_SHARE = 1e-4


@dataclass(frozen=True)
class Statistics:
    """The statistics that drift compares. images: manifest column -> (mean, standard deviation) over images."""

    data: str
    classes: tuple[str, ...]
    class_shares: tuple[float, ...]
    images: Mapping[str, tuple[float, float]]

    def find_shares(self, names: Sequence[str]) -> np.ndarray:
        """(n,) shares of the named classes; 0 for a class that the data does not have."""
        shares = dict(zip(self.classes, self.class_shares, strict=True))
        return np.array([shares.get(name, 0.0) for name in names])

    def as_json(self) -> dict[str, Any]:
        """The content of `statistics.json`."""
        return asdict(self)


@dataclass(frozen=True)
class Drift:
    """Distance from the accepted data. shifts: of image statistics, in standard deviations; psi: of class shares."""

    shifts: Mapping[str, float]
    psi: float
    most_moved_class: str


def compute_statistics(data: DataSummary) -> Statistics:
    """Compute the statistics over all splits together."""
    values = data.manifest[list(MEASURED)]
    mean, std = values.mean().round(4), values.std(ddof=0).round(4)
    pixels = stack_pixels(data.manifest, len(data.classes)).sum(axis=0)
    return Statistics(
        data=data.name,
        classes=data.classes.names,
        class_shares=tuple(compute_shares(pixels).round(6).tolist()),
        images={column: (float(mean[column]), float(std[column])) for column in MEASURED},
    )


def compute_shares(pixels: np.ndarray) -> np.ndarray:
    """Convert pixel counts (K,) to fractions that sum to 1; all zeros if there are no pixels."""
    return pixels / max(1, pixels.sum())


def compute_psi_parts(expected: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Compute each class's term (K,) of the population stability index: (q - p) ln(q / p) of its shares p and q.

    The index is the sum of the terms. Below 0.1 usually counts as stable, above 0.25 as shifted. Shares are floored at
    SMALLEST_SHARE so that an absent class gives a finite term.
    """
    p, q = np.maximum(expected, SMALLEST_SHARE), np.maximum(current, SMALLEST_SHARE)
    return (q - p) * np.log(q / p)


def measure_drift(accepted: Statistics, current: Statistics) -> Drift:
    """Measure the drift of `current` from `accepted`; classes are matched by name.

    A shift is the difference of means over images, in standard deviations pooled from both (Cohen's d: 0.8 is large).
    """
    names = list(dict.fromkeys((*accepted.classes, *current.classes)))
    parts = compute_psi_parts(accepted.find_shares(names), current.find_shares(names))
    shifts = {
        name: compute_standardised_difference(accepted.images[column], current.images[column], floor)
        for column, (name, floor) in MEASURED.items()
    }
    return Drift(shifts, psi=float(parts.sum()), most_moved_class=names[int(parts.argmax())])


def compute_standardised_difference(accepted: tuple[float, float], current: tuple[float, float], floor: float) -> float:
    """Divide the absolute difference of two means by their pooled standard deviation, at least `floor`.

    accepted, current: (mean, standard deviation).
    """
    (mean_a, std_a), (mean_b, std_b) = accepted, current
    return float(abs(mean_b - mean_a) / max(floor, np.sqrt((std_a**2 + std_b**2) / 2)))


def read_accepted(file: Path | None, data: str) -> Statistics | None:
    """Read the accepted statistics in `file`; None if `file` is missing, empty ({}) or of a data set other than `data`.

    {} is allowed so that a pipeline can depend on the file from its first run. Raises DataError on other content.
    """
    if file is None or not file.exists():
        return None
    try:
        content = json.loads(file.read_text())
        if content == {} or content["data"] != data:
            return None
        return Statistics(
            data=str(content["data"]),
            classes=tuple(content["classes"]),
            class_shares=tuple(float(share) for share in content["class_shares"]),
            images={
                column: (float(mean), float(std)) for column in MEASURED for mean, std in [content["images"][column]]
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{file}: not the statistics of accepted data, expected a copy of statistics.json") from None
