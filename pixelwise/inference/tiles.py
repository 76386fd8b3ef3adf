"""Tiles: parts of a large picture that overlap, so that the memory of a net does not grow with the picture.

A pixel near the border of a tile lacks a part of its surroundings. It is therefore taken from the tile in which it lies
deeper: tiles overlap by two margins, and the labels of each tile are kept up to the middle of the overlap.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

# The share of a tile's side that is its margin. At SIDE the margin is 256 pixels: more than half the receptive field of
# FCN-32s over VGG-16 (404 pixels, thesis §2.3), and what the default net uses of its own (851 pixels) but for 0.1 %.
MARGIN = 1 / 8
# A picture with a longer side is labelled in tiles of this side. The default nets take about 1 GB for one.
SIDE = 2048
# Sides are multiples of this. Tiles then start at multiples of 96 pixels, so that a net of stride 32 places its cells
# in a tile as in the whole picture.
STEP = 128


class Span(NamedTuple):
    """A tile along one axis: the pixels `start` to `end` that the net gets, of which `first` to `last` are kept."""

    start: int
    end: int
    first: int
    last: int


def split_side(length: int, side: int) -> list[Span]:
    """Split `length` pixels into tiles of at most `side` pixels. A length up to `side` is one tile."""
    if length <= side:
        return [Span(0, length, 0, length)]
    margin = int(side * MARGIN)
    starts = range(0, length - 2 * margin, side - 2 * margin)
    cuts = [0, *(start + margin for start in starts[1:]), length]
    return [
        Span(start, min(start + side, length), first, last)
        for start, first, last in zip(starts, cuts[:-1], cuts[1:], strict=True)
    ]


def split_picture(height: int, width: int, side: int) -> Iterator[tuple[Span, Span]]:
    """Yield the rows and columns of every tile of a picture, from top left to bottom right."""
    columns = split_side(width, side)
    for rows in split_side(height, side):
        for column in columns:
            yield rows, column


def label_tiles(
    label: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
    given: Mapping[str, np.ndarray],
    side: int,
) -> dict[str, np.ndarray]:
    """Label inputs (1, H, W, …) tile by tile with `label`; return its maps by name, (1, H, W) each."""
    height, width = next(iter(given.values())).shape[1:3]
    whole: dict[str, np.ndarray] = {}
    for rows, columns in split_picture(height, width, side):
        part = {name: values[:, rows.start : rows.end, columns.start : columns.end] for name, values in given.items()}
        for name, found in label(part).items():
            keep_tile(whole.setdefault(name, np.empty((1, height, width), found.dtype))[0], found[0], rows, columns)
    return whole


def keep_tile(whole: np.ndarray, part: np.ndarray, rows: Span, columns: Span) -> None:
    """Write the kept pixels of a tile's map `part` (h, w) into the map of the `whole` picture (H, W)."""
    whole[rows.first : rows.last, columns.first : columns.last] = part[
        rows.first - rows.start : rows.last - rows.start, columns.first - columns.start : columns.last - columns.start
    ]
