"""Score clicks by the field's protocol: corrective clicks on an object until its mask is good (Xu et al., 2016)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from pixelwise.data.prepared import Sample
from pixelwise.families.guided.corrective_clicks import find_next_click
from pixelwise.families.guided.episodes import make_target
from pixelwise.families.guided.measure.categories import choose_tasks, index_pictures
from pixelwise.families.guided.runtime.click_disks import ObjectClick, draw_disks
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.metrics.measurement import Measurement
from pixelwise.metrics.positive_iu import compute_positive_iu
from pixelwise.progress import progress

# IoU that a mask should reach, in percent.
GOALS = (80, 85, 90)
# Iterations of GrabCut after each click.
ITERATIONS = 2

# Takes a click, and returns the mask (H, W) bool after it.
Segment = Callable[[ObjectClick], np.ndarray]


@dataclass(frozen=True)
class ClickCurve:
    """One object's IoU after each click, (C,), and whether the mask obeyed all clicks so far, (C,) bool."""

    iou: np.ndarray
    obeyed: np.ndarray


@dataclass(frozen=True)
class ClickTable:
    """The field's table of one method: curves of IoU (M, C) of M objects after each of C clicks."""

    iou: np.ndarray
    obeyed: np.ndarray

    @staticmethod
    def of(curves: Sequence[ClickCurve]) -> "ClickTable":
        """Return the table of the curves of several objects."""
        return ClickTable(np.stack([curve.iou for curve in curves]), np.stack([curve.obeyed for curve in curves]))

    def count_clicks(self, goal: int) -> float:
        """Return the mean number of clicks until the IoU is `goal` percent; all clicks count where it never is."""
        reached = self.iou >= goal / 100
        first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, self.iou.shape[1])
        return float(first.mean())

    def metrics(self) -> dict[str, Any]:
        """Return the scores as JSON; the shares `obeyed` and `worse_by_click` are of all clicks."""
        falls = np.diff(self.iou, axis=1) < 0
        return {
            "iou_by_click": [float(value) for value in self.iou.mean(axis=0)],
            **{f"noc_{goal}": self.count_clicks(goal) for goal in GOALS},
            "failed_85": float((self.iou.max(axis=1) < 0.85).mean()),
            "obeyed": float(self.obeyed.mean()),
            "worse_by_click": float(falls.mean()) if falls.size else 0.0,
        }

    def __str__(self) -> str:
        counts = [count for count in (1, 3, 5, 10, 20) if count <= self.iou.shape[1]]
        after = ", ".join(f"{self.iou[:, count - 1].mean():.3f} after {count}" for count in counts)
        clicks = ", ".join(f"{self.count_clicks(goal):.2f} clicks to {goal} %" for goal in GOALS)
        found = self.metrics()
        shares = f"obeyed {found['obeyed']:.1%}, worse by a click {found['worse_by_click']:.1%}"
        return f"IoU {after}; {clicks}; {shares}"


@dataclass(frozen=True)
class ClickScores:
    """The clicks that a model needs beside those that GrabCut needs, on the same objects."""

    model: ClickTable
    grabcut: ClickTable
    measurement: Measurement
    origin: Mapping[str, Any] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """Return the scores as JSON."""
        clicks = self.model.iou.shape[1]
        return {
            **self.model.metrics(),
            "grabcut": self.grabcut.metrics(),
            "objects": len(self.measurement.ids),
            "clicks": clicks,
            "measures": {"clicks to IoU 0.85": "noc_85"},
            "scored_on": f"{self.measurement.extent}, at most {clicks} clicks",
            **self.origin,
        }

    def plot(self) -> bytes:
        """Return the curves of both methods as PNG."""
        # Matplotlib takes a second to load.
        from pixelwise.reporting.plots import plot_clicks

        tables = {"model": self.model, "GrabCut": self.grabcut}
        return plot_clicks({name: table.metrics()["iou_by_click"] for name, table in tables.items()})

    def __str__(self) -> str:
        return f"{self.measurement.extent}\nmodel: {self.model}\nGrabCut: {self.grabcut}"


def score_clicks(
    model: GuidedModel,
    samples: Sequence[Sample],
    names: Sequence[str],
    categories: Sequence[str],
    clicks: int,
    tasks: int,
) -> ClickScores:
    """Score masks of `categories` (none: all), at most `tasks`, after each of `clicks` corrective clicks."""
    members = index_pictures(samples, names, categories)
    ids, ours, theirs, labelled = [], [], [], []
    for value, index in progress(choose_tasks(members, tasks), "evaluate"):
        sample = samples[index]
        truth = make_target(sample.label, value)
        ids.append(f"{names[value]} in {sample.id}, {clicks} clicks")
        labelled.append(int((truth == 1).sum()))
        ours.append(follow_clicks(open_session(model, sample.image), truth, clicks))
        theirs.append(follow_clicks(partial(cut_out, sample.image, []), truth, clicks))
    table = ClickTable.of(ours)
    measurement = Measurement(
        "mean IoU of clicks", "object", tuple(ids), table.iou.mean(axis=1), labelled=np.array(labelled, np.int64)
    )
    return ClickScores(table, ClickTable.of(theirs), measurement)


def follow_clicks(segment: Segment, truth: np.ndarray, count: int) -> ClickCurve:
    """Click `count` times on the largest error of the mask; without an error, the last IoU stays.

    truth: (H, W) uint8, 1 on the object, 0 elsewhere, 255 void.
    """
    mask, clicks = np.zeros(truth.shape, bool), list[ObjectClick]()
    iou, obeyed = list[float](), list[bool]()
    for _ in range(count):
        if click := find_next_click(mask, truth, clicks):
            clicks.append(click)
            mask = segment(click)
        iou.append(compute_positive_iu(mask.astype(np.uint8), truth))
        obeyed.append(all(mask[made.y, made.x] == made.is_object for made in clicks))
    return ClickCurve(np.array(iou), np.array(obeyed))


def open_session(model: GuidedModel, image: np.ndarray) -> Segment:
    """Return what segments a picture (H, W, 3) by clicks in a session, as in the studio."""
    session = GuidedSession(model)
    picture = session.add_picture(image)

    def segment(click: ObjectClick) -> np.ndarray:
        session.click(picture, click.x, click.y, int(click.is_object))
        return np.asarray(session.segment(picture) == 1)

    return segment


def cut_out(image: np.ndarray, clicks: list[ObjectClick], click: ObjectClick) -> np.ndarray:
    """Return the mask (H, W) bool of GrabCut (Rother et al., 2004) after `clicks`, to which it adds `click`.

    Disks around the clicks are certain; everything else starts as background.
    """
    import cv2

    clicks.append(click)
    others, own = draw_disks(clicks, *image.shape[:2])
    if not own.any():
        return own.astype(bool)
    mask = np.full(image.shape[:2], cv2.GC_PR_BGD, np.uint8)
    mask[own > 0], mask[others > 0] = cv2.GC_FGD, cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(
        image[..., ::-1].copy(), mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ITERATIONS, cv2.GC_INIT_WITH_MASK
    )
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))
