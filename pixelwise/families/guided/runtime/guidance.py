"""Guidance: a task as arrays. It is cumulative, independent of order, and stored in a small file (thesis §4.3.1)."""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pixelwise.errors import DataError, ModelError
from pixelwise.files import write_bytes

# The value of a pixel without annotation.
UNKNOWN = 255
VERSION = 2
# A file of more bytes, unpacked, is no guidance.
MOST_BYTES = 2**28
# What a damaged archive raises.
DAMAGED = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
# Without a background annotation, the SUPPOSED share of a picture's cells is taken for background. About SOME of these
# cells become keys.
SUPPOSED, SOME = 0.25, 32


class Shot(NamedTuple):
    """Guidance from one picture: mean (K, D), present (K,) bool; annotated cells' keys (M, D) and values (K, M).

    places: (M, 2), the rows and columns of these cells, as shares of the picture's grid.
    """

    mean: np.ndarray
    present: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    places: np.ndarray


@dataclass(frozen=True)
class Guidance:
    """Guidance from all shots: each class's mean (K, D) over its `counts` (K,) shots, and the cells of all shots."""

    mean: np.ndarray
    counts: np.ndarray
    keys: np.ndarray
    values: np.ndarray
    places: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """(K,) bool: the classes that at least one shot has."""
        return np.asarray(self.counts > 0)

    def widened(self, ways: int) -> "Guidance":
        """Return this guidance extended to `ways` classes; the new ones have no annotation."""
        mean, counts, values = (widen(x, ways) for x in (self.mean, self.counts, self.values))
        return Guidance(mean, counts, self.keys, values, self.places)

    def add(self, shot: Shot) -> "Guidance":
        """Return this guidance with one more shot: update the running mean of the shot's classes and keep the others.

        The shot may have fewer classes, if it was made before a class was added.
        """
        mean, present, values = (widen(x, len(self.counts)) for x in (shot.mean, shot.present, shot.values))
        counts = self.counts + present
        step = (present / np.maximum(counts, 1))[:, None]
        return Guidance(
            mean=(self.mean + step * (mean - self.mean)).astype(np.float32),
            counts=counts,
            keys=np.concatenate([self.keys, shot.keys]),
            values=np.concatenate([self.values, values], axis=1),
            places=np.concatenate([self.places, shot.places]),
        )

    def thinned(self, most: int) -> "Guidance":
        """Return this guidance with at most `most` cells, for speed.

        Every class gets an equal part; a class with fewer cells leaves the rest to the others. Cells are taken at even
        steps, which on a dense mask is a coarser grid. A kept cell's weight includes the cells it replaces.
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
        values = self.values[:, cells] * np.concatenate(weights)
        return Guidance(self.mean, self.counts, self.keys[cells], values, self.places[cells])

    def save(self, file: Path, fingerprint: str, names: Sequence[str]) -> None:
        """Write to `file` with the model's `fingerprint`, as guidance is valid for one model only."""
        write_bytes(file, self.encode(fingerprint, names))

    def encode(self, fingerprint: str, names: Sequence[str]) -> bytes:
        """Return the content of a file, as `save` writes it."""
        content = io.BytesIO()
        facts = json.dumps({"version": VERSION, "fingerprint": fingerprint, "names": list(names)})
        # float16 halves the bytes, and its error is too small to move a mask.
        keys, values = self.keys.astype(np.float16), self.values.astype(np.float16)
        np.savez_compressed(
            content,
            facts=np.array(facts),
            mean=self.mean,
            counts=self.counts,
            keys=keys,
            values=values,
            places=self.places,
        )
        return content.getvalue()

    @staticmethod
    def load(file: Path, fingerprint: str) -> tuple["Guidance", tuple[str, ...]]:
        """Return the guidance in `file` and the names of its classes.

        Raises DataError if the file is missing or is not a guidance file, ModelError if another model made it.
        """
        try:
            content = file.read_bytes()
        except OSError as error:
            reason = (error.strerror or "unreadable").lower()
            raise DataError(f"{file}: {reason}, expected what `pixelwise guide` writes") from None
        return Guidance.decode(content, str(file), fingerprint)

    @staticmethod
    def decode(content: bytes, source: str, fingerprint: str) -> tuple["Guidance", tuple[str, ...]]:
        """Return the guidance in the `content` of a file, as `load` does; errors name `source`."""
        try:
            require_small(content)
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                facts = json.loads(str(stored["facts"]))
                mean, keys, values = (stored[name].astype(np.float32) for name in ("mean", "keys", "values"))
                counts = stored["counts"]
                # A file of version 1 has none; the guides of its time asked for none.
                places = stored["places"] if "places" in stored else np.zeros((len(keys), 2), np.float32)
            names, made_by = tuple(map(str, facts["names"])), str(facts["fingerprint"])
            guidance = Guidance(mean, counts, keys, values, places)
            require_shapes(guidance, len(names))
        except (OSError, ValueError, KeyError, TypeError, IndexError, EOFError, *DAMAGED):
            raise DataError(f"{source}: no guidance file, expected what `pixelwise guide` writes") from None
        if made_by != fingerprint:
            raise ModelError(f"{source}: made by model {made_by[:12]}, but this is {fingerprint[:12]}: make it again")
        return guidance, names


def merge(shots: Sequence[Shot], start: Guidance | None = None, ways: int | None = None) -> Guidance:
    """Return `start` with all `shots` added. The order of shots does not matter.

    Pass `ways`, the number of classes, if classes were added after the first shot.
    """
    if start is None:
        known, length = shots[0].mean.shape
        start = Guidance(
            np.zeros((known, length), np.float32),
            np.zeros(known, np.int64),
            np.zeros((0, length), np.float32),
            np.zeros((known, 0), np.float32),
            np.zeros((0, 2), np.float32),
        )
    start = start.widened(ways or len(start.counts))
    for shot in shots:
        start = start.add(shot)
    return start


def suppose_background(guidance: Guidance, embedding: np.ndarray) -> Guidance:
    """Return `guidance`, which has no background, with the picture's cells least like all annotated ones as background.

    One click on an object is thus enough for a mask. embedding: (1, h, w, D) of the picture.
    """
    cells = embedding.reshape(-1, embedding.shape[-1])
    likeness = (guidance.keys[guidance.values.sum(axis=0) > 0] @ cells.T).max(axis=0)
    unlike = np.argsort(likeness)[: max(1, int(SUPPOSED * likeness.size))]
    ways, size = len(guidance.counts), embedding.shape[1:3]
    some = unlike[:: max(1, len(unlike) // SOME)]
    present = np.arange(ways) == 0
    values = np.repeat(present[:, None], len(some), axis=1).astype(np.float32)
    places = find_places(np.stack(np.unravel_index(some, size), axis=1), size)
    return guidance.add(Shot(present[:, None] * cells[unlike].mean(axis=0), present, cells[some], values, places))


def find_places(cells: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the places (M, 2) of `cells` (M, 2), rows and columns, as shares of a grid of `size` (h, w)."""
    return ((cells + 0.5) / size).astype(np.float32)


def require_small(content: bytes) -> None:
    """Raise ValueError if the archive in `content` is larger than any guidance, before it is unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if (total := sum(entry.file_size for entry in archive.infolist())) > MOST_BYTES:
            raise ValueError(f"found {total} bytes")


def require_shapes(guidance: Guidance, classes: int) -> None:
    """Raise ValueError unless the arrays fit together and to the number of classes."""
    cells, length = guidance.keys.shape
    shapes = (guidance.mean.shape, guidance.counts.shape, guidance.values.shape, guidance.places.shape)
    if shapes != ((classes, length), (classes,), (classes, cells), (cells, 2)):
        raise ValueError(f"found arrays of {shapes}")


def widen(values: np.ndarray, ways: int) -> np.ndarray:
    """Pad `values` (K, …) with zeros to `ways` classes."""
    if len(values) == ways:
        return values
    return np.pad(values, ((0, ways - len(values)), *[(0, 0)] * (values.ndim - 1)))
