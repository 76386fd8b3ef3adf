"""Clicks by picture and class name, as JSON: {"PICTURE": [[x, y, "CLASS"], …]}."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.guidance import UNKNOWN
from pixelwise.families.guided.runtime.session import GuidedSession

# x, y, class.
NamedClick = tuple[int, int, str]
EXPECTED = 'expected {"PICTURE": [[x, y, "CLASS"], …]}'
BACKGROUND = "background"
Key = TypeVar("Key")


def parse_clicks(text: str | bytes, source: str) -> dict[str, list[NamedClick]]:
    """Parse clicks by the name of their picture. Raises DataError naming `source` if `text` is something else."""
    try:
        found: Any = json.loads(text)
        return {
            str(picture): [(require_whole(x), require_whole(y), str(name)) for x, y, name in of_picture]
            for picture, of_picture in found.items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise DataError(f"{source}: no clicks file, {EXPECTED}") from None


def require_whole(value: object) -> int:
    """Return a pixel's coordinate. Raises TypeError if it is not a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    return value


def name_classes(clicked: Mapping[Key, Sequence[NamedClick]], drawn: Mapping[Key, np.ndarray]) -> tuple[str, ...]:
    """Name the classes: background, those of the clicks in their order, and those of the masks by number."""
    of_clicks = dict.fromkeys(name for clicks in clicked.values() for *_, name in clicks if name != BACKGROUND)
    highest = max((int(mask[mask != UNKNOWN].max(initial=0)) for mask in drawn.values()), default=0)
    of_masks = ("object" if value == 1 else f"class {value}" for value in range(1, highest + 1))
    return (BACKGROUND, *of_clicks, *of_masks)


def annotate(session: GuidedSession, picture: int, clicks: Sequence[NamedClick], mask: np.ndarray | None) -> None:
    """Annotate a picture of the session with clicks and a mask. Raises DataError as the session does."""
    for x, y, name in clicks:
        session.click(picture, x, y, session.names.index(name))
    if mask is not None:
        session.annotate(picture, mask)
