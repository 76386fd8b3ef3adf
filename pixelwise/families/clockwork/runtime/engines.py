"""Choose the engine for a schedule: frame oracle, clockwork or pipeline."""

import time
from pathlib import Path
from typing import Protocol

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import Frame, Staged, open_staged
from pixelwise.families.clockwork.runtime.schedules import DEFAULT, parse_schedule
from pixelwise.families.clockwork.runtime.tiled_engine import TiledEngine
from pixelwise.inference.session import Provider


class Engine(Protocol):
    """Labels the frames of a video one by one, on a schedule."""

    model: Staged

    def step(self, image: np.ndarray) -> Frame:
        """Label the next frame, (H, W, 3) uint8 RGB."""

    def reset(self) -> None:
        """Start a new video."""


class Plain:
    """The frame oracle: the plain net on every frame, the reference for every schedule's score (thesis §3.4.1)."""

    def __init__(self, model: Staged) -> None:
        self.model = model

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def step(self, image: np.ndarray) -> Frame:
        """Label a frame, (H, W, 3) uint8 RGB. Raises ModelError if its type or shape differs."""
        began = time.perf_counter()
        prediction = self.model.plain.predict(image[None])[0]
        return Frame(prediction, (True,) * len(self.model.stages), time.perf_counter() - began)


def open_video_model(
    model: Path, schedule: str = DEFAULT, provider: Provider = "auto", threads: int | None = None
) -> Engine:
    """Open the folder of an exported clockwork to label the frames of a video on `schedule`, NAME or NAME:VALUE.

    >>> from pathlib import Path
    >>> import numpy as np
    >>> import pixelwise
    >>> video = pixelwise.open_video_model(Path("models/clockwork"), "carry:2")
    >>> frames = np.zeros((3, 96, 128, 3), np.uint8)
    >>> [any(video.step(frame).fired) for frame in frames]  # every second frame carries the labels of the last
    [True, False, True]

    Raises ModelError if the model is missing or not in stages, ProviderError if `provider` is not available,
    ParamsError if the schedule is unknown.
    """
    return open_engine(open_staged(model, provider, threads), schedule)


def open_engine(model: Staged, words: str) -> Engine:
    """Return the engine of a schedule. Raises ParamsError if it is unknown, ModelError if the model lacks its graph."""
    if words == "oracle":
        return Plain(model)
    schedule = parse_schedule(with_value(model, words), len(model.stages))
    if schedule.runs_whole:
        # A missing graph is found before the first frame.
        model.open_whole(schedule.precision)
    return TiledEngine(model, schedule)


def with_value(model: Staged, words: str) -> str:
    """Append the value that was calibrated for this net, if `words` is a schedule's name without a value."""
    return f"{words}:{model.values[words]}" if words in model.values else words
