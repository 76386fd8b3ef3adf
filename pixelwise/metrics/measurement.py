"""Measurements: a measure of a model, unit by unit, so that two models can be compared on the same units."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pixelwise.errors import DataError
from pixelwise.files import write_atomically
from pixelwise.metrics import tallies

# How often each resample draws each unit, (B, M).
Draws = NDArray[np.int64]
# A score for each resample, (B,).
Resampled = NDArray[np.float64]
# The file with the measurements of an evaluation.
MEASUREMENTS = "measurements.npz"
EXPECTED = "what `pixelwise evaluate` writes; evaluate the model again"


@dataclass(frozen=True)
class Measurement:
    """A measure of one model on M units, each of which is independent of the others: images, clips, tasks.

    name: the measure, such as `mean IU`. ids: the units. values: an entry per unit, (M, …). statistic: the name in
    STATISTICS of what makes one score of them. classes: the K classes of confusion matrices. labelled: of other
    values that depend on labels, the labelled pixels of each unit, (M,).
    """

    name: str
    unit: str
    ids: tuple[str, ...]
    values: NDArray[Any]
    statistic: str = "mean"
    classes: tuple[str, ...] = ()
    labelled: NDArray[np.int64] | None = None

    @property
    def score(self) -> float:
        """The measure over all units."""
        return float(self.score_draws(np.ones((1, len(self.ids)), np.int64))[0])

    @property
    def truth(self) -> NDArray[np.int64]:
        """The labelled pixels of each unit, by class if there are classes; equal labels give equal numbers."""
        if self.classes:
            return np.asarray(self.values.sum(axis=-1))
        return np.zeros(0, np.int64) if self.labelled is None else self.labelled

    @property
    def extent(self) -> str:
        """The number of units, such as `40 images`."""
        return f"{len(self.ids)} {self.unit}{'s' * (len(self.ids) != 1)}"

    def score_draws(self, draws: Draws) -> Resampled:
        """The measure over each resample, (B,), from how often it draws each unit, (B, M)."""
        return STATISTICS[self.statistic](draws, self.values)

    def resample(self, resamples: int, seed: int) -> Draws:
        """Draw as many units as there are, with replacement: how often each one is drawn, (resamples, M)."""
        return draw_units(len(self.ids), resamples, seed)

    def has_units_of(self, other: "Measurement") -> bool:
        """Whether both were measured on the same units with the same labels, so that they can be compared in pairs."""
        names = [(one.name, one.classes, one.ids) for one in (self, other)]
        return names[0] == names[1] and np.array_equal(self.truth, other.truth)


def compute_ratio(draws: Draws, parts: NDArray[np.float64]) -> Resampled:
    """Sum of parts over the sum of wholes of each resample. parts: (M, 2), a part and its whole per unit."""
    summed = draws @ parts
    return np.asarray(summed[:, 0] / summed[:, 1])


@lru_cache(maxsize=8)
def draw_units(units: int, resamples: int, seed: int) -> Draws:
    """Draw `units` with replacement: how often each one is drawn, (resamples, units), read-only.

    A resample is then one product instead of a sum over drawn matrices.
    """
    draws = np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), size=resamples)
    draws.flags.writeable = False
    return draws


def compute_mean(draws: Draws, values: NDArray[np.float64]) -> Resampled:
    """Mean of `values` (M,) over each resample."""
    return np.asarray(draws @ values / draws.sum(axis=1))


def compute_mean_iu(draws: Draws, counts: NDArray[np.int64]) -> Resampled:
    """Mean IU of each resample from confusion matrices `counts` (M, K, K), over the classes of its units."""
    return tallies.compute_mean_iu(sum_tallies(draws, tallies.tally(counts)))


def sum_tallies(draws: Draws, by_unit: tallies.Tallies) -> tallies.Tallies:
    """Sum the tallies (M, 3, K) of the units that each resample draws, (B, 3, K)."""
    # In float64, where BLAS multiplies; pixel counts stay exact below 2**53.
    flat = draws.astype(np.float64) @ by_unit.reshape(len(by_unit), -1).astype(np.float64)
    return np.asarray(flat.reshape(len(draws), *by_unit.shape[1:]))


def compute_mean_iu_lost(draws: Draws, pairs: NDArray[np.int64]) -> Resampled:
    """Mean IU that the second of two labellings loses to the first, from `pairs` (M, 2, K, K) of their counts."""
    return compute_mean_iu(draws, pairs[:, 0]) - compute_mean_iu(draws, pairs[:, 1])


def score_tallies(score: str, draws: Draws, by_unit: tallies.Tallies) -> Resampled:
    """One of the four scores of each resample from the tallies (M, 3, K) of the units."""
    return tallies.SCORES[score](sum_tallies(draws, by_unit))


# Name -> function from resamples (B, M) and values (M, …) to scores (B,).
STATISTICS: Mapping[str, Callable[[Draws, Any], Resampled]] = {
    "mean": compute_mean,
    "ratio": compute_ratio,
    "mean IU": compute_mean_iu,
    "mean IU lost": compute_mean_iu_lost,
    **{f"{name} of tallies": partial(score_tallies, name) for name in tallies.SCORES},
}


def write_measurements(file: Path, measurements: Sequence[Measurement]) -> None:
    """Write `measurements`, the one that models are compared by first, as a compressed NumPy archive."""
    arrays: dict[str, Any] = {
        f"{number}.{field}": np.array(value)
        for number, measurement in enumerate(measurements)
        for field, value in vars(measurement).items()
        if value is not None
    }
    with write_atomically(file) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, **arrays)


def read_measurements(file: Path) -> tuple[Measurement, ...]:
    """Read what `write_measurements` wrote. Raises DataError if the file is missing, damaged or of another kind."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            numbers = sorted({int(key.partition(".")[0]) for key in archive})
            measurements = tuple(read_measurement(archive, number) for number in numbers)
    except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise DataError(f"{file}: {error}, expected {EXPECTED}") from None
    if not measurements:
        raise DataError(f"{file}: found no measurement, expected {EXPECTED}")
    return measurements


def read_measurement(archive: Any, number: int) -> Measurement:
    """Read one measurement. Raises KeyError or ValueError if the archive is damaged."""
    measurement = Measurement(
        name=str(archive[f"{number}.name"]),
        unit=str(archive[f"{number}.unit"]),
        ids=tuple(archive[f"{number}.ids"].tolist()),
        values=archive[f"{number}.values"],
        statistic=str(archive[f"{number}.statistic"]),
        classes=tuple(archive[f"{number}.classes"].tolist()),
        labelled=archive.get(f"{number}.labelled"),
    )
    if measurement.statistic not in STATISTICS or len(measurement.ids) != len(measurement.values):
        raise ValueError(f"{measurement.name}: {measurement.statistic} of {len(measurement.values)} values")
    return measurement
