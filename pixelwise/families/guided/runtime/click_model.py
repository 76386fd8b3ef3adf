"""Segment a clicked picture: a view of the picture or of its object, its clicks and its mask before go in.

After the first mask the view zooms in on the object, so that small objects are seen as large (RITM, 2021, section 3.4).
Every click is obeyed: the pixels around it get its class whatever the net says.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixelwise.families.guided.runtime.click_disks import ObjectClick, draw_disks, fill_disk
from pixelwise.inference.graph_session import GraphSession
from pixelwise.inference.session import run_graph

# The graph of the click net.
CLICK = "click"
# Longer side of a view in pixels of the net's input.
VIEW_SIDE = 320
# Side of a zoomed view in lengths of the object, and the least one in pixels of the picture.
ZOOM, LEAST_VIEW = 1.4, 64
# A view of more than this share of the picture's longer side shows the whole picture.
NEARLY_WHOLE = 0.9
# Radius around a click within which it decides, in pixels of the net's input.
OBEYED = 2
# Probabilities of the pixels that a click decides, and of an object above `HALF`.
CERTAIN, IMPOSSIBLE, HALF = 0.99, 0.01, 0.5


class View(NamedTuple):
    """A part of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int


class ClickModel:
    """The graph of the click net."""

    def __init__(self, graph: GraphSession) -> None:
        self.graph = graph

    def segment(self, image: np.ndarray, clicks: Sequence[ObjectClick], before: np.ndarray | None) -> np.ndarray:
        """Return the probability of the object, (H, W) float32, after `clicks`, of which the last is new.

        image: (H, W, 3) uint8. before: the probability after the earlier clicks, None without any.
        """
        view = choose_view(image.shape[:2], clicks, before)
        part = np.s_[view.top : view.top + view.height, view.left : view.left + view.width]
        scale = VIEW_SIDE / max(view.width, view.height)
        height, width = (max(round(side * scale), 8) for side in (view.height, view.width))
        known = np.zeros((height, width), np.float32) if before is None else resize(before[part], height, width)
        disks = draw_disks([move_into_view(click, view, height, width) for click in clicks], height, width)
        logits = self.run(resize(image[part], height, width), disks, known)
        found = np.zeros(image.shape[:2], np.float32)
        found[part] = 1 / (1 + np.exp(-resize(logits, view.height, view.width)))
        obey(found, clicks, max(1, round(OBEYED / scale)))
        return found

    def run(self, image: np.ndarray, disks: np.ndarray, before: np.ndarray) -> np.ndarray:
        """Return the logits (h, w) of a view (h, w, 3) uint8 with `disks` (2, h, w) and the mask `before` (h, w)."""
        inputs = {"image": image[None], "disks": disks[None], "before": before[None]}
        (logits,) = run_graph(self.graph, None, inputs)
        return np.asarray(logits[0])


def choose_view(size: tuple[int, int], clicks: Sequence[ObjectClick], before: np.ndarray | None) -> View:
    """Return the part of a picture of `size` (H, W) that holds the object's mask `before` and the clicks on it."""
    height, width = size
    whole = View(0, 0, width, height)
    if before is None or not (before > HALF).any():
        return whole
    rows, columns = (np.flatnonzero((before > HALF).any(axis=axis)) for axis in (1, 0))
    shown = [click for click in clicks if click.is_object or click is clicks[-1]]
    top, shown_height = widen([*rows[[0, -1]], *(click.y for click in shown)], height)
    left, shown_width = widen([*columns[[0, -1]], *(click.x for click in shown)], width)
    if max(shown_width, shown_height) > NEARLY_WHOLE * max(size):
        return whole
    return View(left, top, shown_width, shown_height)


def widen(places: Sequence[int], length: int) -> tuple[int, int]:
    """Return start and length of an interval around `places`, ZOOM times as long as they need, inside 0…length."""
    first, last = int(min(places)), int(max(places))
    wanted = min(max(round(ZOOM * (last - first + 1)), LEAST_VIEW), length)
    start = min(max((first + last + 1 - wanted) // 2, 0), length - wanted)
    return start, wanted


def move_into_view(click: ObjectClick, view: View, height: int, width: int) -> ObjectClick:
    """Return a click in the pixels of a view that was resized to (height, width); it may lie outside."""
    x = (2 * (click.x - view.left) + 1) * width // (2 * view.width)
    y = (2 * (click.y - view.top) + 1) * height // (2 * view.height)
    return ObjectClick(x, y, click.is_object)


def resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a map (h, w) or picture (h, w, 3): averaged where it shrinks, bilinear where it grows."""
    if values.shape[:2] == (height, width):
        return values
    shrinks = height * width < values.shape[0] * values.shape[1]
    resampling = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(values).resize((width, height), resampling))


def obey(found: np.ndarray, clicks: Sequence[ObjectClick], radius: int) -> None:
    """Give the clicked pixels of `found` (H, W) their class, and their surroundings too if the net does not obey."""
    for click in clicks:
        certain = CERTAIN if click.is_object else IMPOSSIBLE
        if (found[click.y, click.x] > HALF) != click.is_object:
            fill_disk(found, click.x, click.y, radius, certain)
    # A later click's surroundings do not cover an earlier click.
    for click in clicks:
        found[click.y, click.x] = CERTAIN if click.is_object else IMPOSSIBLE
