"""Statistics of a data set, and how far they moved since the data that was last accepted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.errors import DataError
from pixelwise.validation.data_summary import DataSummary, stack_pixels

# Column of the manifest -> what a reader calls it, and the least spread that a shift is measured in: without a floor,
# data of one brightness would drift by any change at all.
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
    """What drift compares: `images` maps a manifest column to its (mean, standard deviation) over images."""

    data: str
    classes: tuple[str, ...]
    class_shares: tuple[float, ...]
    images: Mapping[str, tuple[float, float]]

    def find_shares(self, names: Sequence[str]) -> np.ndarray:
        """The shares of the named classes (n,), 0 where there is no such class."""
        known = dict(zip(self.classes, self.class_shares, strict=True))
        return np.array([known.get(name, 0.0) for name in names])

    def as_json(self) -> dict[str, Any]:
        """For `statistics.json`."""
        return asdict(self)


@dataclass(frozen=True)
class Drift:
    """Distance from the accepted data: `shifts` of image statistics in standard deviations, `psi` of class shares."""

    shifts: Mapping[str, float]
    psi: float
    most_moved_class: str


def compute_statistics(data: DataSummary) -> Statistics:
    """The statistics of all splits together."""
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
    """Pixel counts (K,) as fractions that sum to 1; zeros where there is no pixel."""
    return pixels / max(1, pixels.sum())


def compute_psi_parts(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Each class's part (K,) of the population stability index, the sum of (q - p) ln(q / p) over shares p and q (K,).

    Under 0.1 is usually read as stable, over 0.25 as moved. Shares are floored so that an absent class stays finite.
    """
    p, q = np.maximum(expected, SMALLEST_SHARE), np.maximum(found, SMALLEST_SHARE)
    return (q - p) * np.log(q / p)


def measure_drift(accepted: Statistics, found: Statistics) -> Drift:
    """How far `found` moved from `accepted`; classes are matched by name.

    A shift is the difference of means over images, in standard deviations pooled from both (Cohen's d: 0.8 is large).
    """
    names = list(dict.fromkeys((*accepted.classes, *found.classes)))
    parts = compute_psi_parts(accepted.find_shares(names), found.find_shares(names))
    shifts = {
        name: compute_standardised_difference(accepted.images[column], found.images[column], floor)
        for column, (name, floor) in MEASURED.items()
    }
    return Drift(shifts, psi=float(parts.sum()), most_moved_class=names[int(parts.argmax())])


def compute_standardised_difference(accepted: tuple[float, float], found: tuple[float, float], floor: float) -> float:
    """Absolute difference of two means over their pooled standard deviation, from (mean, std) pairs."""
    (mean_a, std_a), (mean_b, std_b) = accepted, found
    return float(abs(mean_b - mean_a) / max(floor, np.sqrt((std_a**2 + std_b**2) / 2)))


def read_accepted(file: Path | None, data: str) -> Statistics | None:
    """The statistics in `file`; None where none of the data set named `data` were accepted yet.

    An empty JSON object says so too, so that a pipeline can depend on the file from its first run. Raises DataError on
    any other content.
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
