"""Compare two figures in pairs: the same seeds, the same units, the same rounds."""

from collections.abc import Sequence
from dataclasses import dataclass

from pixelwise.metrics.bootstrap import Difference, bootstrap_difference
from pixelwise.metrics.measurement import Measurement
from pixelwise.studies.columns import COLUMNS, Column
from pixelwise.studies.records import Run
from pixelwise.studies.units import find_units, measure_column


@dataclass(frozen=True)
class Comparison:
    """The difference of two figures in the column's unit, positive where the first is ahead.

    seeds, units: how many were paired. unit: their name. doubt: why the interval decides nothing; empty if it does.
    """

    difference: Difference
    seeds: int
    units: int
    unit: str
    doubt: str


def compare(
    ours: tuple[Sequence[Run], str], theirs: tuple[Sequence[Run], str], is_seeded: bool, is_quiet: bool
) -> Comparison | None:
    """Compare the column of two rows; None if they share no seed. ours, theirs: the runs and the column.

    is_seeded: whether the seed changes the figures. is_quiet: whether the machine had no other work.
    """
    others = {run.seed: run for run in theirs[0] if theirs[1] in run.scores}
    pairs = [(run, others[run.seed]) for run in ours[0] if ours[1] in run.scores and run.seed in others]
    if not pairs:
        return None
    column = COLUMNS[ours[1]]
    are_paired = all(have_same_units(left, ours[1], right, theirs[1]) for left, right in pairs)
    measured = [
        (measure_column(left, ours[1]), measure_column(right, theirs[1]))
        if are_paired
        else (measure_whole(left, ours[1]), measure_whole(right, theirs[1]))
        for left, right in pairs
    ]
    first = measured[0][0]
    return Comparison(
        difference=convert(bootstrap_difference(measured), column),
        seeds=len(pairs),
        units=len(first.ids),
        unit=first.unit,
        doubt=find_doubt(column, first, len(pairs), are_paired, is_seeded, is_quiet),
    )


def have_same_units(left: Run, column: str, right: Run, other: str) -> bool:
    """Whether both figures were recorded unit by unit, on the same units."""
    units = find_units(left, column), find_units(right, other)
    return units[0] is not None and units[1] is not None and units[0].sha256 == units[1].sha256


def measure_whole(run: Run, column: str) -> Measurement:
    """Return the figure of a column as one unit."""
    return measure_column(run.model_copy(update={"units": {}}), column)


def convert(difference: Difference, column: Column) -> Difference:
    """Convert a difference to the column's unit, positive where the first figure is ahead."""
    ends = [column.factor * value for value in (difference.gap, difference.low, difference.high)]
    if column.is_lower_better:
        ends = [-ends[0], -ends[2], -ends[1]]
    return Difference(*ends)


def find_doubt(
    column: Column, first: Measurement, seeds: int, are_paired: bool, is_seeded: bool, is_quiet: bool
) -> str:
    """Name what the comparison lacks to be decided; empty if it lacks nothing."""
    lacks = {
        "one seed": column.varies in ("units", "seeds") and is_seeded and seeds < 2,
        "no paired rounds recorded": column.varies == "rounds" and not (are_paired and len(first.ids) > 1),
        "other work ran on the machine": column.varies == "rounds" and not is_quiet,
        "no common units recorded": column.varies == "units" and not are_paired,
        f"one {first.unit}": column.varies == "units" and len(first.ids) < 2,
    }
    return next((doubt for doubt, is_lacking in lacks.items() if is_lacking), "")
