"""Scores unit by unit, compact enough for a JSON file in git, so that two runs can be compared in pairs."""

import base64
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pixelwise.identity import sha256_json
from pixelwise.metrics.measurement import Measurement
from pixelwise.metrics.tallies import Tallies
from pixelwise.studies.columns import COLUMNS
from pixelwise.studies.records import Run, Units


def pack_values(unit: str, values: ArrayLike, labelled: ArrayLike) -> Units:
    """Pack an entry of `values` per unit, (M, …). labelled: what tells the units apart, as their labelled pixels."""
    array = np.asarray(values)
    # Four bytes suffice for pixels of a unit and for a score.
    array = np.ascontiguousarray(array.astype("<i4" if np.issubdtype(array.dtype, np.integer) else "<f4"))
    packed = base64.b64encode(zlib.compress(array.tobytes(), 9)).decode()
    return Units(
        unit=unit,
        sha256=sha256_json(np.asarray(labelled).tolist()),
        dtype=array.dtype.str,
        shape=array.shape,
        values=packed,
    )


def pack_tallies(unit: str, tallies: Tallies) -> Units:
    """Pack the tallies (M, 3, K) of confusion matrices, one per unit. True pixels tell the units apart."""
    return pack_values(unit, tallies, tallies[:, 1])


def pack_rounds(values: Sequence[float]) -> Units:
    """Pack a time per round. Rounds of runs that took turns are pairs."""
    return pack_values("round", values, np.arange(len(values)))


def unpack(units: Units) -> NDArray[np.generic]:
    """Unpack an entry per unit, (M, …)."""
    return np.frombuffer(zlib.decompress(base64.b64decode(units.values)), units.dtype).reshape(units.shape)


def find_units(run: Run, column: str) -> Units | None:
    """Find what the figure of `column` is computed from, unit by unit: its own values, or pixels that it shares."""
    return run.units.get(column) or run.units.get(COLUMNS[column].counted)


def measure_column(run: Run, column: str) -> Measurement:
    """Return the measurement behind the figure of `column`; a single unit where none were recorded."""
    units = find_units(run, column)
    if units is None:
        return Measurement(column, "run", ("all",), np.array([run.scores[column]]))
    statistic = "mean" if column in run.units and len(units.shape) == 1 else COLUMNS[column].statistic
    ids = tuple(f"{units.sha256} {number}" for number in range(units.shape[0]))
    return Measurement(column, units.unit, ids, unpack(units), statistic)
