"""Label pictures and video with a clockwork: every frame by the whole net, or on a schedule."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.families.clockwork.runtime.engines import Engine, open_engine, with_value
from pixelwise.families.clockwork.runtime.strip import Strip
from pixelwise.inference import session
from pixelwise.inference.session import Provider, Segmenter

INSTEAD_OF_SERVING = "`pixelwise predict --schedule NAME` labels videos with it"


@dataclass
class Scheduled:
    """The frames of videos on a schedule, and which stages ran on them. seconds: the engine's own, reading left out."""

    name: str
    engine: Engine
    strip: Strip
    fired: list[tuple[bool, ...]] = field(default_factory=list)
    seconds: float = 0.0

    def reset(self) -> None:
        """Begin another video."""
        self.engine.reset()
        self.strip.reset()

    def step(self, image: np.ndarray, follows: bool = True) -> np.ndarray:
        """The label (H, W) uint8 of the next frame (H, W, 3) uint8 RGB; where frames are lost it starts anew."""
        if not follows:
            self.engine.reset()
        frame = self.engine.step(image)
        self.fired.append(frame.fired)
        self.seconds += frame.seconds
        return frame.prediction

    def annotate(self, overlay: np.ndarray) -> np.ndarray:
        """The overlay, with a strip below it that shows which stages ran."""
        return np.concatenate([overlay, self.strip.after(self.fired[-1], overlay.shape[1])])

    def summary(self) -> str:
        """How fast the frames were labelled, and on how many each stage ran."""
        if not self.fired:
            return ""
        shares = ", ".join(
            f"stage {place + 1} on {share:.0%}" for place, share in enumerate(np.mean(self.fired, axis=0))
        )
        rate = len(self.fired) / max(self.seconds, 1e-9)
        return f"schedule {self.name}: {rate:.1f} frames a second, reading and writing left out; {shares} of the frames"


@dataclass(frozen=True)
class ScheduledPredictor:
    """A clockwork that labels pictures by the whole net and video on a schedule."""

    staged: Staged
    schedule: str
    inputs: tuple[str, ...] = ("image",)

    @property
    def names(self) -> tuple[str, ...]:
        """The classes of its labels."""
        return self.staged.plain.names

    @property
    def palette(self) -> tuple[tuple[int, int, int], ...]:
        """A colour a class."""
        return self.staged.plain.palette

    @property
    def provider(self) -> str:
        """Where ONNX Runtime computes."""
        return self.staged.plain.provider

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Labels (N, H, W) uint8 of images (N, H, W, 3) uint8 RGB. Raises as `Segmenter.predict`."""
        return self.staged.plain.predict(images)

    def stream(self) -> Scheduled:
        """What labels the frames of videos. Raises ParamsError where there is no such schedule."""
        engine = open_engine(self.staged, self.schedule)
        return Scheduled(with_value(self.staged, self.schedule), engine, Strip(len(self.staged.stages)))


def open_model(model: Path, provider: Provider = "auto", schedule: str | None = None) -> Segmenter | ScheduledPredictor:
    """The exported clockwork. Raises ModelError where a schedule is given and the model is not in stages."""
    if schedule is None:
        return session.open_model(model, provider)
    return ScheduledPredictor(open_staged(model, provider), schedule)
