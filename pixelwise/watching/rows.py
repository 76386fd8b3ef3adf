"""Rows of the statistics file: what one request showed and was answered, and how a challenger would have answered.

The server imports this module, so it needs neither pandas nor scipy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import TypeAdapter, ValidationError

from pixelwise.documents import read_text
from pixelwise.metrics.confusion import count_pixels

# Brightness and shares are measured on about so many rows, evenly spread: the time hardly grows with the picture.
MEASURED_ROWS = 48


@dataclass(frozen=True)
class Seen:
    """One answered picture. No pixel of it is kept.

    at: time, ISO 8601. model: its SHA-256. mean, std: of red, green and blue, in grey levels. confidence: the mean over
    the pixels; None if it was not computed. shares: of the pixels by class; empty if each request names its classes.
    """

    at: str
    model: str
    height: int
    width: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    confidence: float | None
    shares: tuple[float, ...]
    kind: Literal["seen"] = "seen"


@dataclass(frozen=True)
class Compared:
    """One picture that the challenger labelled beside the champion; pixels by class.

    champion, challenger: what each labels so; both: what both label so.
    """

    at: str
    model: str
    rival: str
    champion: tuple[int, ...]
    challenger: tuple[int, ...]
    both: tuple[int, ...]
    kind: Literal["compared"] = "compared"


Row = Seen | Compared
ROW: TypeAdapter[Row] = TypeAdapter(Row)


def observe(
    image: np.ndarray, prediction: np.ndarray, model: str, classes: int, confidence: float | None = None
) -> Seen:
    """Describe a picture (H, W, 3) uint8 RGB and its labels (H, W) uint8. classes: their number; 0: without shares."""
    height, width = prediction.shape
    step = max(1, height // MEASURED_ROWS)
    channels = np.ascontiguousarray(image[::step, ::step].reshape(-1, 3).T, np.float32)
    labels = prediction[::step]
    counts = np.bincount(labels.ravel(), minlength=classes)[:classes]
    return Seen(
        read_clock(),
        model,
        height,
        width,
        round_all(channels.mean(axis=1), 2),
        round_all(channels.std(axis=1), 2),
        None if confidence is None else round(confidence, 4),
        round_all(counts / labels.size, 6),
    )


def compare(champion: np.ndarray, challenger: np.ndarray, model: str, rival: str, classes: int) -> Compared:
    """Compare the labels (H, W) uint8 of two models on one picture. model, rival: their SHA-256."""
    counts = count_pixels(champion, challenger, classes)
    by_champion, by_challenger, both = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    return Compared(
        read_clock(), model, rival, tuple(by_champion.tolist()), tuple(by_challenger.tolist()), tuple(both.tolist())
    )


def round_all(values: np.ndarray, digits: int) -> tuple[float, ...]:
    """Round numbers, which shortens the file."""
    return tuple(round(value, digits) for value in values.tolist())


def read_clock() -> str:
    """The time now, as rows have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def encode_row(row: Row) -> str:
    """Encode a row as one line of JSON."""
    return ROW.dump_json(row).decode()


def read_rows(files: Sequence[Path]) -> list[Row]:
    """Read the rows of several servers' files, the oldest first. Raises DataError if a file is missing."""
    lines = [
        line for file in files for line in read_text(file, "statistics that `pixelwise serve` writes").splitlines()
    ]
    return sorted((row for line in lines if (row := decode_row(line))), key=lambda row: row.at)


def decode_row(line: str) -> Row | None:
    """Decode a line; None if it is damaged or of another version: the others are still worth reading."""
    try:
        return ROW.validate_json(line)
    except ValidationError:
        return None
