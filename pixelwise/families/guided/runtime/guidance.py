"""Guidance: a task as arrays, cumulative and free of order, kept as a small file (thesis §4.3.1)."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pixelwise.errors import DataError, ModelError
from pixelwise.files import write_bytes

# A pixel that nobody said anything about.
UNKNOWN = 255
VERSION = 1
# Share of a picture that is taken for background where nobody said what is; so many of its cells are matched.
SUPPOSED, SOME = 0.25, 32


class Shot(NamedTuple):
    """What one picture says: mean (K, D), present (K,) bool, and its annotated cells' keys (M, D), values (K, M)."""

    mean: np.ndarray
    present: np.ndarray
    keys: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Guidance:
    """What all shots say: the mean over the `counts` (K,) shots of each class, and the cells of all of them."""

    mean: np.ndarray
    counts: np.ndarray
    keys: np.ndarray
    values: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """(K,) bool: the classes that any shot has."""
        return np.asarray(self.counts > 0)

    def widened(self, ways: int) -> "Guidance":
        """This with classes added up to `ways`, of which it says nothing."""
        return Guidance(widen(self.mean, ways), widen(self.counts, ways), self.keys, widen(self.values, ways))

    def add(self, shot: Shot) -> "Guidance":
        """This and one shot more: a running mean of each class that the shot has, the others left as they are.

        The shot may be from before a class was added.
        """
        mean, present, values = (widen(x, len(self.counts)) for x in (shot.mean, shot.present, shot.values))
        counts = self.counts + present
        step = (present / np.maximum(counts, 1))[:, None]
        return Guidance(
            mean=(self.mean + step * (mean - self.mean)).astype(np.float32),
            counts=counts,
            keys=np.concatenate([self.keys, shot.keys]),
            values=np.concatenate([self.values, values], axis=1),
        )

    def thinned(self, most: int) -> "Guidance":
        """This with about `most` cells, for speed: of each class as many, those kept weighing what they stand for.

        Cells of a class are taken at even steps, which on a dense mask is a coarser grid. A class that needs less than
        its part leaves the rest to the others.
        """
        if self.values.shape[1] <= most:
            return self
        best, left = self.values.argmax(axis=0), most
        members = sorted((np.flatnonzero(best == way) for way in range(len(self.counts))), key=len)
        chosen, weights = [], []
        for place, cells in enumerate(members):
            kept = min(len(cells), left // (len(members) - place))
            left -= kept
            if kept:
                chosen.append(cells[np.linspace(0, len(cells) - 1, kept).astype(int)])
                weights.append(np.full(kept, len(cells) / kept, np.float32))
        cells = np.concatenate(chosen)
        return Guidance(self.mean, self.counts, self.keys[cells], self.values[:, cells] * np.concatenate(weights))

    def save(self, file: Path, fingerprint: str, names: Sequence[str]) -> None:
        """Write to `file`, marked with the model's `fingerprint`: guidance means nothing to another model."""
        content = io.BytesIO()
        facts = json.dumps({"version": VERSION, "fingerprint": fingerprint, "names": list(names)})
        # Half the bytes, and far below what moves a mask.
        keys, values = self.keys.astype(np.float16), self.values.astype(np.float16)
        np.savez_compressed(
            content, facts=np.array(facts), mean=self.mean, counts=self.counts, keys=keys, values=values
        )
        write_bytes(file, content.getvalue())

    @staticmethod
    def load(file: Path, fingerprint: str) -> tuple["Guidance", tuple[str, ...]]:
        """The guidance in `file` and the names of its classes.

        Raises DataError where it is missing or no such file, ModelError where another model made it.
        """
        try:
            with np.load(file, allow_pickle=False) as stored:
                facts = json.loads(str(stored["facts"]))
                arrays = [stored[name].astype(np.float32) for name in ("mean", "keys", "values")]
                counts = stored["counts"]
            names, made_by = tuple(map(str, facts["names"])), facts["fingerprint"]
        except FileNotFoundError:
            raise DataError(f"{file}: no such file, expected what `pixelwise guide` writes") from None
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            raise DataError(f"{file}: no guidance file, expected what `pixelwise guide` writes") from None
        if made_by != fingerprint:
            raise ModelError(f"{file}: made by model {made_by[:12]}, but this is {fingerprint[:12]}: make it again")
        mean, keys, values = arrays
        return Guidance(mean, counts, keys, values), names


def merge(shots: Sequence[Shot], start: Guidance | None = None, ways: int | None = None) -> Guidance:
    """All `shots` on top of `start`: equal in any order, and to adding them as they come.

    `ways` is the number of classes where it has grown since the first of them.
    """
    if start is None:
        known, length = shots[0].mean.shape
        start = Guidance(
            np.zeros((known, length), np.float32),
            np.zeros(known, np.int64),
            np.zeros((0, length), np.float32),
            np.zeros((known, 0), np.float32),
        )
    start = start.widened(ways or len(start.counts))
    for shot in shots:
        start = start.add(shot)
    return start


def suppose_background(guidance: Guidance, embedding: np.ndarray) -> Guidance:
    """`guidance` that says nothing of the first class, with what in a picture is least like all others as that class.

    So one click on an object gives a mask. embedding: (1, h, w, D) of the picture.
    """
    cells = embedding.reshape(-1, embedding.shape[-1])
    likeness = (guidance.keys[guidance.values.sum(axis=0) > 0] @ cells.T).max(axis=0)
    unlike = cells[np.argsort(likeness)[: max(1, int(SUPPOSED * likeness.size))]]
    ways = len(guidance.counts)
    some = unlike[:: max(1, len(unlike) // SOME)]
    present = np.arange(ways) == 0
    values = np.repeat(present[:, None], len(some), axis=1).astype(np.float32)
    return guidance.add(Shot(present[:, None] * unlike.mean(axis=0), present, some, values))


def widen(values: np.ndarray, ways: int) -> np.ndarray:
    """`values` (K, …) with zeros for further classes up to `ways`."""
    if len(values) == ways:
        return values
    return np.pad(values, ((0, ways - len(values)), *[(0, 0)] * (values.ndim - 1)))
