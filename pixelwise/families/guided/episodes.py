"""Parts of episodes from labelled pictures: masks, class balance, targets, points, supports (thesis §4.3.3).

All draws are seeded. A held-out class is void everywhere.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pixelwise.data.items import VOID
from pixelwise.data.prepared import PreparedSplit
from pixelwise.errors import DataError

# Smaller objects vanish on a grid of stride 8.
LEAST_PIXELS = 150


class Mask(NamedTuple):
    """One task: the pixels of class `value` in a picture of the split, or of one object of the class by its number."""

    picture: int
    value: int
    object: int = 0


class Masks(Sequence[Mask]):
    """Every mask of a split, except of background and of the classes `held_out`.

    `layers` names the maps that are read beside the label. Raises DataError if a name is no class or no mask is left.
    """

    layers: tuple[str, ...] = ()

    def __init__(self, split: PreparedSplit, held_out: Sequence[str] = (), least: int = LEAST_PIXELS) -> None:
        self.split, self.held_out = split, find_class_values(split.classes.names, held_out)
        self.masks = [mask for index in range(len(split.rows)) for mask in self.list_masks(index, least)]
        if not self.masks:
            raise DataError(f"split {split.name}: no mask of {least} pixels, expected some of: {split.classes.names}")
        self.of_class: dict[int, list[Mask]] = defaultdict(list)
        self.of_clip: dict[tuple[str, int, int], list[Mask]] = defaultdict(list)
        for mask in self.masks:
            self.of_class[mask.value].append(mask)
            if clip := split.rows[mask.picture]["clip"]:
                self.of_clip[clip, mask.value, mask.object].append(mask)

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> Mask:  # type: ignore[override]
        return self.masks[index]

    def list_masks(self, index: int, least: int) -> list[Mask]:
        """Return the masks of picture `index` with at least `least` pixels."""
        pixels = enumerate(self.split.rows[index]["pixels"])
        return [Mask(index, value) for value, count in pixels if self.is_task(value) and count >= least]

    def is_task(self, value: int) -> bool:
        """Whether a label value can be the task of an episode."""
        return value > 0 and value != VOID and value not in self.held_out

    def read(self, mask: Mask) -> tuple[np.ndarray, np.ndarray]:
        """Return the image and the label of the mask's picture; held-out classes are void."""
        sample = self.split[mask.picture]
        return sample.image, np.where(np.isin(sample.label, self.held_out), VOID, sample.label).astype(np.uint8)


class Objects(Masks):
    """Every object of a split as a mask, by its number in the layer `instance`; others of its class are background.

    Raises DataError like `Masks`, and if the data set does not number its objects.
    """

    layers = ("instance",)

    def list_masks(self, index: int, least: int) -> list[Mask]:
        """Return the objects of picture `index` with at least `least` pixels."""
        label, numbers = self.split.label(index), self.split.layer(index, "instance")
        # Class and number packed into one integer: `unique` over pairs along an axis takes ten times as long.
        pairs, counts = np.unique(label.astype(np.int64) << 16 | numbers, return_counts=True)
        masks = [Mask(index, int(pair >> 16), int(pair & 0xFFFF)) for pair in pairs[counts >= least]]
        return [mask for mask in masks if mask.object and self.is_task(mask.value)]

    def read(self, mask: Mask) -> tuple[np.ndarray, np.ndarray]:
        """Return the image and the label of the mask's picture, without other objects of the mask's class."""
        image, label = super().read(mask)
        others = (label == mask.value) & (self.split.layer(mask.picture, "instance") != mask.object)
        return image, np.where(others, 0, label).astype(np.uint8)


class Balanced(Sequence[Mask]):
    """As many draws as `masks` has, with every class equally often."""

    def __init__(self, masks: Masks, seed: int) -> None:
        self.masks, self.seed = masks, seed
        self.values = sorted(masks.of_class)

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> Mask:  # type: ignore[override]
        if index >= len(self):
            # Ends the iteration over a sequence.
            raise IndexError(index)
        rng = np.random.default_rng((self.seed, index))
        of_class = self.masks.of_class[self.values[index % len(self.values)]]
        return of_class[rng.integers(len(of_class))]


def find_class_values(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Return the label values of the classes `chosen`. Raises DataError if one is unknown."""
    for name in classes:
        if name not in names:
            raise DataError(f"held_out: found class {name}, expected some of: {', '.join(names)}")
    return [names.index(name) for name in classes]


def make_target(label: np.ndarray, value: int) -> np.ndarray:
    """Return the binary target of one class: 1 where `label` is `value`, 0 elsewhere; void stays void."""
    return np.where(label == VOID, VOID, label == value).astype(np.uint8)


def annotate(target: np.ndarray) -> np.ndarray:
    """Return the dense annotation (2, H, W) float32, negative first, of a binary `target`; void is not annotated."""
    return np.stack([target == 0, target == 1]).astype(np.float32)


def draw_points(target: np.ndarray, count: int, rng: np.random.Generator) -> list[list[tuple[int, int]]]:
    """Draw `count` pixels (x, y) of each class, negative first; none of a class with fewer pixels (thesis §4.3.3)."""
    drawn: list[list[tuple[int, int]]] = []
    for value in (0, 1):
        rows, columns = np.nonzero(target == value)
        indices = rng.choice(len(rows), count if len(rows) >= count else 0, replace=False)
        drawn.append([(int(columns[index]), int(rows[index])) for index in indices])
    return drawn


def annotate_points(points: Sequence[Sequence[tuple[int, int]]], height: int, width: int) -> np.ndarray:
    """Return the sparse annotation (K, H, W) float32 of the `points` (x, y) of each class; the rest is unknown."""
    annotation = np.zeros((len(points), height, width), np.float32)
    for plane, of_class in zip(annotation, points, strict=True):
        for x, y in of_class:
            plane[y, x] = 1
    return annotation


def draw_partner(masks: Masks, mask: Mask, kind: str, rng: np.random.Generator) -> Mask:
    """Draw the support of the query `mask`: another picture of its object in its clip (`kind` clip) or of its class.

    Return `mask` itself if there is no other picture.
    """
    if kind == "clip":
        clip = masks.split.rows[mask.picture]["clip"]
        others = masks.of_clip.get((clip, mask.value, mask.object), [])
    else:
        others = masks.of_class[mask.value]
    others = [other for other in others if other.picture != mask.picture]
    return others[rng.integers(len(others))] if others else mask
