"""Statistics of answered pictures as a town's clips have them, without pictures or a net."""

from datetime import UTC, datetime, timedelta

import numpy as np

from pixelwise.watching.reference import Reference
from pixelwise.watching.rows import Seen

CLASSES = ("sky", "building", "road", "pavement", "tree", "pole", "sign", "car", "pedestrian")
# Of the town: the mean share of each class, its spread on a logarithmic scale, and how often a clip lacks the class.
SHARES = np.array([0.145, 0.321, 0.314, 0.055, 0.036, 0.018, 0.007, 0.094, 0.011])
SPREAD = np.array([0.35, 0.25, 0.3, 0.8, 0.8, 0.5, 0.9, 0.8, 0.5])
LACKING = np.array([0, 0, 0, 0.03, 0.1, 0, 0.03, 0.1, 0])
START = datetime(2026, 12, 1, tzinfo=UTC)
MODEL = "m" * 64


def draw_rows(rng, clips, frames=8, light=1.0, absent=None):
    """The rows of `clips` clips; frames of one are alike. light: factor of the brightness. absent: a class."""
    rows = []
    for _ in range(clips):
        shares = SHARES * np.exp(SPREAD * rng.standard_normal(len(SHARES))) * (rng.random(len(SHARES)) >= LACKING)
        level, contrast = rng.normal((96.5, 94.3, 94.9), (12.8, 16.2, 18.1)), rng.normal(46, 9, 3)
        sure = rng.normal(0.94, 0.02)
        for _ in range(frames):
            now = shares * rng.uniform(0.9, 1.1, len(SHARES))
            now[[name == absent for name in CLASSES]] = 0
            rows.append(
                Seen(
                    at=(START + timedelta(seconds=len(rows))).isoformat(),
                    model=MODEL,
                    height=192,
                    width=256,
                    mean=tuple(light * (level + rng.normal(0, 1, 3))),
                    std=tuple(light * (contrast + rng.normal(0, 1, 3))),
                    confidence=min(1.0, sure + rng.normal(0, 0.005)) if len(rows) % 16 == 0 else None,
                    shares=tuple(now / now.sum()),
                )
            )
    return rows


def draw_reference(rng, clips=29, frames=8):
    """A reference of so many accepted clips."""
    return Reference(
        model=MODEL,
        data="d" * 64,
        classes=CLASSES,
        scene=frames,
        scenes=tuple(int(scene) for scene in np.arange(clips).repeat(frames)),
        rows=tuple(draw_rows(rng, clips, frames)),
    )
