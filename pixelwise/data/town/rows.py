"""Rows of houses: along both sides of a street, across its end and behind its side streets."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pixelwise.data.town import trees
from pixelwise.data.town.buildings import House
from pixelwise.data.town.classes import TREE
from pixelwise.data.town.facades import STOREY, draw_style
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.street import BEHIND, Street

BACK = 27.0
"""Where the houses at the end of a side street stand, metres from the middle."""
CLOSE = 26.0
"""Up to here along the street, metres, houses are drawn finely."""


@dataclass(frozen=True)
class Habit:
    """Common properties of a street's houses: mean storeys, share of shops, share of lit windows."""

    storeys: float
    shops: float
    lit: float


def draw_plots(rng: np.random.Generator, street: Street, side: int) -> list[tuple[float, float]]:
    """Draw the plots of houses along one side, (start, end) in z; side streets and some gaps stay open."""
    closed = rng.uniform(0.5, 0.95)
    plots, z = [], BEHIND + rng.uniform(0, 4)
    while z < street.end - 6:
        width = min(rng.uniform(6, 12), street.end - 1 - z)
        opening = next(
            (s for s in street.side_streets if s.side == side and z - 1.5 < s.far and z + width + 1.5 > s.near), None
        )
        if opening is not None:
            width = opening.near - 1.5 - z
        if opening is not None and width < 5:
            z = opening.far + 1.6
            continue
        plots.append((z, z + width))
        z += width + (rng.uniform(1.5, 5) if rng.random() > closed else 0.0)
    return plots


def draw_side(
    rng: np.random.Generator, street: Street, side: int, plots: list[tuple[float, float]], habit: Habit
) -> Iterator[House]:
    """Draw the houses on the plots of one side."""
    for start, end in plots:
        corner = np.array([side * street.front, 0, end if side > 0 else start])
        scale = 24 if start < CLOSE else 12
        yield draw_house(rng, corner, np.array([0.0, 0, -side]), end - start, habit, scale)


def draw_backdrops(rng: np.random.Generator, street: Street, habit: Habit) -> Iterator[House]:
    """Draw the terraces that close the view at the ends of the street and of each side street."""
    yield from draw_terrace(rng, np.array([-30.0, 0, street.closing_front]), np.array([1.0, 0, 0]), 60, habit)
    for s in street.side_streets:
        corner = np.array([s.side * BACK, 0, s.far + 7 if s.side > 0 else s.near - 7])
        yield from draw_terrace(rng, corner, np.array([0.0, 0, -s.side]), s.far - s.near + 14, habit)


def draw_terrace(
    rng: np.random.Generator, corner: np.ndarray, along: np.ndarray, length: float, habit: Habit
) -> Iterator[House]:
    """Draw adjoining houses over `length` metres, coarsely, because they are far away."""
    at = 0.0
    while at < length - 5:
        width = min(rng.uniform(6, 11), length - at)
        yield draw_house(rng, corner + along * at, along, width, habit, scale=9)
        at += width


def draw_house(
    rng: np.random.Generator, corner: np.ndarray, along: np.ndarray, width: float, habit: Habit, scale: float
) -> House:
    """Draw one house at `scale` texels per metre; some are set back slightly."""
    back = np.array([-along[2], 0, along[0]])
    return House(
        corner=corner + back * rng.choice([0, 0, 0.3, 0.6]),
        along=along,
        width=width,
        depth=rng.uniform(7, 10),
        height=STOREY * max(round(rng.normal(habit.storeys, 0.6)), 1) + rng.uniform(0.2, 0.7),
        rise=rng.uniform(0.28, 0.5) * min(width, 9),
        roof=str(rng.choice(["eaves", "gable", "flat"], p=[0.55, 0.2, 0.25])),
        style=draw_style(rng, habit.shops, habit.lit),
        scale=scale,
    )


def draw_hedges(
    rng: np.random.Generator, street: Street, side: int, plots: list[tuple[float, float]], ids: Iterator[int]
) -> Iterator[Quad]:
    """Draw hedges that close the gaps between the plots of one side."""
    for (_, start), (end, _) in pairwise(plots):
        if end - start < 0.5 or street.is_beside(side, (start + end) / 2, 1.0):
            continue
        left, right = (end, start) if side > 0 else (start, end)
        x, height = side * (street.front + 0.8), rng.uniform(1.3, 2.4)
        top, along = np.array([x, height, left]), np.array([0, 0, right - left])
        yield Quad(top, along, np.array([0, -height, 0]), trees.draw_hedge_picture(rng), TREE, next(ids))
