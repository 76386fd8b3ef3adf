"""Outlines of areas along the edges of pixels, for formats that know only polygons without holes."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from pixelwise.data.writers.objects import find_components

# Steps along the edges of pixels, (x, y), each a quarter turn clockwise from the one before.
RIGHT, DOWN, LEFT, UP = (1, 0), (0, 1), (-1, 0), (0, -1)
TURNS = (RIGHT, DOWN, LEFT, UP)


def trace_outlines(mask: np.ndarray, left: int = 0, top: int = 0) -> list[np.ndarray]:
    """Trace a connected area (h, w) bool as polygons (N, 2) int, whose union is the area.

    left, top: added to all points. A polygon has no hole: an area with holes is cut through each of them.
    """
    hole = find_hole_row(mask)
    if hole is None:
        return [trace_outline(mask) + np.array([left, top])]
    return [
        outline
        for start, part in ((0, mask[:hole]), (hole, mask[hole:]))
        for x, y, area in find_components(part)
        for outline in trace_outlines(area, left + x, top + start + y)
    ]


def find_hole_row(mask: np.ndarray) -> int | None:
    """Find the first row of a hole of `mask` (h, w); None without one. Pixels outside are connected by corners too."""
    _, *holes = find_components(np.pad(~mask, 1, constant_values=True), by_corners=True)
    return holes[0][1] - 1 if holes else None


def trace_outline(mask: np.ndarray) -> np.ndarray:
    """Trace the outline of a connected area (h, w) without holes clockwise: its corners (N, 2) int."""
    steps = defaultdict(list)
    for (x, y), step in list_edges(mask):
        steps[x, y].append(step)
    # The first edge in reading order is an upper one, so that no turn is pending at its start.
    place = start = next(iter(steps))
    step, corners = RIGHT, []
    while True:
        corners.append(place)
        steps[place].remove(step)
        place = (place[0] + step[0], place[1] + step[1])
        if place == start and not steps[place]:
            return drop_straight(np.array(corners))
        step = choose_step(steps[place], step)


def list_edges(mask: np.ndarray) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """List the edges between the area and its surroundings, each a start (x, y) and a step, the area on the right."""
    padded = np.pad(mask, 1)
    inside = padded[1:-1, 1:-1]
    sides = {
        RIGHT: (inside & ~padded[:-2, 1:-1], (0, 0)),
        DOWN: (inside & ~padded[1:-1, 2:], (1, 0)),
        LEFT: (inside & ~padded[2:, 1:-1], (1, 1)),
        UP: (inside & ~padded[1:-1, :-2], (0, 1)),
    }
    for step, (edges, (dx, dy)) in sides.items():
        for y, x in np.argwhere(edges).tolist():
            yield (x + dx, y + dy), step


def choose_step(steps: list[tuple[int, int]], last: tuple[int, int]) -> tuple[int, int]:
    """Choose the next edge. Where two pixels touch at a corner alone, it is the right turn, along the same pixel."""
    right_turn = TURNS[(TURNS.index(last) + 1) % 4]
    return right_turn if right_turn in steps else steps[0]


def drop_straight(corners: np.ndarray) -> np.ndarray:
    """Drop the points (N, 2) of a closed outline at which it does not turn."""
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    return corners[((corners - before) != (after - corners)).any(axis=1)]
