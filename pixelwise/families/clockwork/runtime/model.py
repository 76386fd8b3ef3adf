"""Label pictures and videos with a clockwork: the whole net on every frame, or stages on a schedule."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.families.clockwork.runtime.engines import Engine, open_engine, with_value
from pixelwise.families.clockwork.runtime.strip import Strip
from pixelwise.inference import session
from pixelwise.inference.session import Provider, Segmenter
from pixelwise.inference.tiles import SIDE


@dataclass
class Scheduled:
    """Video labeller on a schedule; records which stages ran. seconds: time in the engine, without reading frames."""

    name: str
    engine: Engine
    strip: Strip
    fired: list[tuple[bool, ...]] = field(default_factory=list)
    seconds: float = 0.0

    def reset(self) -> None:
        """Start a new video."""
        self.engine.reset()
        self.strip.reset()

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:
        """Return the label (H, W) uint8 of the next frame (H, W, 3) uint8 RGB. Lost frames (not `follows`) reset it."""
        if not follows:
            self.engine.reset()
        frame = self.engine.step(image)
        self.fired.append(frame.fired)
        self.seconds += frame.seconds
        return frame.prediction

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """Return the overlay with a strip below it that shows which stages ran."""
        return np.concatenate([overlay, self.strip.after(self.fired[-1], overlay.shape[1])])

    def summary(self) -> str:
        """Return one line: frames a second, and the share of frames on which each stage ran."""
        if not self.fired:
            return ""
        shares = ", ".join(
            f"stage {place + 1} on {share:.0%}" for place, share in enumerate(np.mean(self.fired, axis=0))
        )
        rate = len(self.fired) / max(self.seconds, 1e-9)
        return f"schedule {self.name}: {rate:.1f} frames a second, reading and writing left out; {shares} of the frames"


@dataclass(frozen=True)
class ScheduledPredictor:
    """A clockwork that labels pictures with the whole net and videos on a schedule."""

    staged: Staged
    schedule: str
    inputs: tuple[str, ...] = ("image",)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.staged.plain.names

    @property
    def palette(self) -> tuple[tuple[int, int, int], ...]:
        """One colour per class."""
        return self.staged.plain.palette

    @property
    def provider(self) -> str:
        """What the graphs run on."""
        return self.staged.plain.provider

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return labels (N, H, W) uint8 of images (N, H, W, 3) uint8 RGB. Raises as `Segmenter.predict`."""
        return self.staged.plain.predict(images)

    @property
    def gives_confidence(self) -> bool:
        """Whether the model can also give the probability of each label of a picture."""
        return self.staged.plain.gives_confidence

    def predict_with_confidence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return labels and confidence of images as `Segmenter.predict_with_confidence`."""
        return self.staged.plain.predict_with_confidence(images)

    def stream(self) -> Scheduled:
        """Return a labeller for the frames of videos. Raises ParamsError if the schedule is unknown."""
        engine = open_engine(self.staged, self.schedule)
        return Scheduled(with_value(self.staged, self.schedule), engine, Strip(len(self.staged.stages)))


def open_model(
    model: Path, provider: Provider = "auto", schedule: str | None = None, tile: int = SIDE
) -> Segmenter | ScheduledPredictor:
    """Open an exported clockwork. Raises ModelError if a schedule is given and the model is not in stages."""
    if schedule is None:
        return session.open_model(model, provider, tile=tile)
    return ScheduledPredictor(open_staged(model, provider, tile=tile), schedule)
