"""The ranges of a search: `recipes/search/FAMILY.yaml` names training parameters and the values that they may take."""

from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import Field

from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.params import Params, find_value, merge, parse

FOLDER = Path("recipes/search")
MISSING = object()


class Range(Params):
    """The numbers from `low` to `high`."""

    low: float
    high: float
    log: bool = Field(False, description="draw the logarithm uniformly, for a value whose magnitude is unknown")

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value."""
        return self.low, self.high

    def contains(self, value: Any) -> bool:
        """Whether the search can draw `value`."""
        return self.low <= value <= self.high


class Choices(tuple[Any, ...]):
    """The values of a parameter that is no number between two limits."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self))

    @property
    def ends(self) -> "Choices":
        """All values."""
        return self

    def contains(self, value: Any) -> bool:
        """Whether the search can draw `value`."""
        return value in self


Ranges = Mapping[str, Range | Choices]


def find_ranges(family: str) -> Path:
    """The file with the ranges of a family, which may not exist."""
    return FOLDER / f"{family}.yaml"


def read_ranges(file: Path, model: type[Params], present: Mapping[str, Any]) -> Ranges:
    """Read the ranges of the training parameters `model`, by dotted key. present: the values of all parameters.

    Raises ParamsError naming the first key that is unknown, whose range is empty, or whose ends are out of bounds.
    """
    content = read_yaml(file, "ranges by parameter", error=ParamsError)
    ranges = {str(key): read_range(value, f"{file}: {key}") for key, value in content.items()}
    if not ranges:
        raise ParamsError(f"{file}: found no parameter, expected lines such as learning_rate: {{low: 0.1, high: 1}}")
    for key, options in ranges.items():
        if find_value(present, key, MISSING) is MISSING:
            raise ParamsError(f"{file}: {key}: unknown key")
        for value in options.ends:
            parse(model, merge(present, nest({key: value})), str(file))
    return ranges


def read_range(value: Any, source: str) -> Range | Choices:
    """Turn a mapping into a range and a list into choices. Raises ParamsError naming the `source`."""
    if isinstance(value, list) and len(value) > 1:
        return Choices(value)
    if not isinstance(value, Mapping):
        raise ParamsError(f"{source}: found {value!r}, expected {{low: …, high: …}} or a list of several values")
    numbers = parse(Range, value, source)
    if numbers.low >= numbers.high or (numbers.log and numbers.low <= 0):
        expected = "0 < low < high" if numbers.log else "low < high"
        raise ParamsError(f"{source}: found low {numbers.low:g} and high {numbers.high:g}, expected {expected}")
    return numbers


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings from values by dotted key."""
    layers = (reduce(lambda value, name: {name: value}, reversed(key.split(".")), value) for key, value in flat.items())
    return merge(*layers)
