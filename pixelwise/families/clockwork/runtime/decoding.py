"""Decode scores to labels without interpolating most pixels: exact, and several times as fast as the graph `decode`.

The logits of a pixel are a weighted mean of the scores of a few cells, with the same weights for all classes. A class
that wins in each of these cells wins in the pixel. Only the other pixels are interpolated, 6 % of a street scene.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np

# Key in the metadata of the graph `decode`. A net without it maps scores to pixels in another way.
UPSAMPLING = "upsampling"
# Marks pixels whose cells disagree.
OPEN = 255


class Upsampling(NamedTuple):
    """Bilinear upsampling of scores: cell i is centred on pixel factor·i + offset of the net's input.

    The net's input is the picture resized by `scale`, between half-pixel centres.
    """

    factor: int
    offset: float
    scale: float


class Support(NamedTuple):
    """The cells along one axis that each of P pixels depends on, `first` (P,) and those that follow.

    weights: (P, n) float32, of n cells a pixel. Cells past the border have weight 0.
    """

    first: np.ndarray
    weights: np.ndarray


def read_upsampling(metadata: Mapping[str, str]) -> Upsampling | None:
    """Return the upsampling in the metadata of the graph `decode`; None where its net upsamples in another way."""
    return Upsampling(*json.loads(metadata[UPSAMPLING])) if UPSAMPLING in metadata else None


def decode_by_cells(scores: np.ndarray, height: int, width: int, upsampling: Upsampling) -> np.ndarray:
    """Return the most probable class (height, width) uint8 of each pixel from scores (1, K, h, w), K < 255."""
    classes, *cells = scores.shape[1:]
    rows, columns = (find_support(*sides, upsampling) for sides in zip(cells, (height, width), strict=True))
    by_cell = np.ascontiguousarray(scores.reshape(classes, -1).T)
    winners = by_cell.argmax(axis=1).astype(np.uint8).reshape(cells)
    labels: np.ndarray = mark_disagreement(winners, rows.weights.shape[1], columns.weights.shape[1])
    labels = labels[rows.first][:, columns.first]
    y, x = np.nonzero(labels == OPEN)
    logits = np.zeros((len(y), classes), np.float32)
    for down, across in product(range(rows.weights.shape[1]), range(columns.weights.shape[1])):
        row, column = (
            np.minimum(axis.first[places] + step, side - 1)
            for axis, places, step, side in zip((rows, columns), (y, x), (down, across), cells, strict=True)
        )
        weights = rows.weights[y, down] * columns.weights[x, across]
        logits += weights[:, None] * by_cell[row * cells[1] + column]
    labels[y, x] = logits.argmax(axis=1)
    return labels


def mark_disagreement(winners: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return `winners` (h, w) uint8 where the `rows` × `columns` cells from each on have one winner, else `OPEN`."""
    height, width = winners.shape
    padded = np.pad(winners, ((0, rows - 1), (0, columns - 1)), mode="edge")
    agree = np.ones(winners.shape, bool)
    for row, column in product(range(rows), range(columns)):
        agree &= padded[row : row + height, column : column + width] == winners
    return np.where(agree, winners, np.uint8(OPEN))


@lru_cache(maxsize=8)
def find_support(cells: int, side: int, upsampling: Upsampling) -> Support:
    """Return the cells of an axis of `cells` scores that each of `side` pixels depends on.

    A pixel lies between two pixels of the net's input, each of which lies between two cells. Past the first and the
    last cell their scores are repeated.
    """
    factor, offset, scale = upsampling
    given = int(side * scale)
    inputs, shares = interpolate((np.arange(side) + 0.5) * given / side - 0.5, given)
    found, parts = interpolate((inputs - offset) / factor, cells)
    found, parts = found.reshape(side, -1), (parts * shares[..., None]).reshape(side, -1)
    first = found.min(axis=1)
    weights = np.zeros((side, int((found - first[:, None]).max()) + 1), np.float32)
    np.add.at(weights, (np.arange(side)[:, None], found - first[:, None]), parts)
    return Support(first, weights)


def interpolate(positions: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the two of `count` places around each of `positions` (…), (…, 2), and their weights (…, 2)."""
    inside = np.clip(positions, 0, count - 1)
    before = np.floor(inside).astype(np.int64)
    share = inside - before
    places = np.stack([before, before + (share > 0)], axis=-1)
    return places, np.stack([1 - share, share], axis=-1)
