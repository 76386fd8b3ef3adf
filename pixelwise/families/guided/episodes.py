"""Episodes from labelled pictures: mask, target, class balance, sparse points, support and query (thesis §4.3.3).

Each part wraps the one before it. All are drawn from (seed, epoch, index), and a class held out is void everywhere.
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
    """One task: the pixels of a class in a picture of the split, or those of one object of it, by its number there."""

    picture: int
    value: int
    object: int = 0


class Masks(Sequence[Mask]):
    """Every mask of a split but those of background and of classes `held_out`.

    Raises DataError at a name that is no class, or where nothing is left. `layers` are the further maps that are read.
    """

    layers: tuple[str, ...] = ()

    def __init__(self, split: PreparedSplit, held_out: Sequence[str] = (), least: int = LEAST_PIXELS) -> None:
        self.split, self.held_out = split, values_of(split.classes.names, held_out)
        self.masks = [mask for index in range(len(split.rows)) for mask in self.masks_of(index, least)]
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

    def __getitem__(self, place: int) -> Mask:  # type: ignore[override]
        return self.masks[place]

    def masks_of(self, index: int, least: int) -> list[Mask]:
        """The masks of picture `index` with `least` pixels or more."""
        pixels = enumerate(self.split.rows[index]["pixels"])
        return [Mask(index, value) for value, count in pixels if self.is_task(value) and count >= least]

    def is_task(self, value: int) -> bool:
        """Whether a label value may be what an episode is about."""
        return value > 0 and value != VOID and value not in self.held_out

    def read(self, mask: Mask) -> tuple[np.ndarray, np.ndarray]:
        """The image and the label of the mask's picture; classes held out are void."""
        sample = self.split[mask.picture]
        return sample.image, np.where(np.isin(sample.label, self.held_out), VOID, sample.label).astype(np.uint8)


class Objects(Masks):
    """Every object of a split by itself, numbered in the layer `instance`: others of its class are background.

    Raises DataError like `Masks`, and where the data set does not number its objects.
    """

    layers = ("instance",)

    def masks_of(self, index: int, least: int) -> list[Mask]:
        """The objects of picture `index` with `least` pixels or more."""
        label, numbers = self.split.label(index), self.split.layer(index, "instance")
        # Both in one number: pairs along an axis take ten times as long to tell apart.
        found, counts = np.unique(label.astype(np.int64) << 16 | numbers, return_counts=True)
        masks = [Mask(index, int(pair >> 16), int(pair & 0xFFFF)) for pair in found[counts >= least]]
        return [mask for mask in masks if mask.object and self.is_task(mask.value)]

    def read(self, mask: Mask) -> tuple[np.ndarray, np.ndarray]:
        """The image and the label of the mask's picture, without the other objects of the mask's class."""
        image, label = super().read(mask)
        others = (label == mask.value) & (self.split.layer(mask.picture, "instance") != mask.object)
        return image, np.where(others, 0, label).astype(np.uint8)


class Balanced(Sequence[Mask]):
    """`masks` drawn so that every class comes as often; as many as there are."""

    def __init__(self, masks: Masks, seed: int) -> None:
        self.masks, self.seed = masks, seed
        self.values = sorted(masks.of_class)

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, place: int) -> Mask:  # type: ignore[override]
        if place >= len(self):
            # How iteration over a sequence ends.
            raise IndexError(place)
        rng = np.random.default_rng((self.seed, place))
        of_class = self.masks.of_class[self.values[place % len(self.values)]]
        return of_class[rng.integers(len(of_class))]


def values_of(names: Sequence[str], chosen: Sequence[str]) -> list[int]:
    """The label values of the classes `chosen`. Raises DataError at one that is unknown."""
    for name in chosen:
        if name not in names:
            raise DataError(f"held_out: found class {name}, expected some of: {', '.join(names)}")
    return [names.index(name) for name in chosen]


def target(label: np.ndarray, value: int) -> np.ndarray:
    """The binary task of one class: 1 where `label` has `value`, 0 elsewhere, void kept."""
    return np.where(label == VOID, VOID, label == value).astype(np.uint8)


def annotate(target: np.ndarray) -> np.ndarray:
    """A dense annotation (2, H, W) float32, negative first, of a binary `target`; void annotates nothing."""
    return np.stack([target == 0, target == 1]).astype(np.float32)


def draw_points(target: np.ndarray, count: int, rng: np.random.Generator) -> list[list[tuple[int, int]]]:
    """`count` pixels (x, y) of each class, negative first; a class with fewer pixels gives none (thesis §4.3.3)."""
    drawn: list[list[tuple[int, int]]] = []
    for value in (0, 1):
        rows, columns = np.nonzero(target == value)
        chosen = rng.choice(len(rows), count if len(rows) >= count else 0, replace=False)
        drawn.append([(int(columns[place]), int(rows[place])) for place in chosen])
    return drawn


def annotate_points(points: Sequence[Sequence[tuple[int, int]]], height: int, width: int) -> np.ndarray:
    """A sparse annotation (K, H, W) float32 of the `points` (x, y) of each class; all else is unknown."""
    found = np.zeros((len(points), height, width), np.float32)
    for plane, of_class in zip(found, points, strict=True):
        for x, y in of_class:
            plane[y, x] = 1
    return found


def partner(masks: Masks, mask: Mask, kind: str, rng: np.random.Generator) -> Mask:
    """The support of the query `mask`: of its clip, or another picture of its class; itself where it has no other."""
    if kind == "clip":
        clip = masks.split.rows[mask.picture]["clip"]
        others = masks.of_clip.get((clip, mask.value, mask.object), [])
    else:
        others = masks.of_class[mask.value]
    others = [other for other in others if other.picture != mask.picture]
    return others[rng.integers(len(others))] if others else mask
