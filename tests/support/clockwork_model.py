"""A small clockwork whose labels depend on every stage: they mean nothing, and every identity holds for them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from components import export, train
from pixelwise.data.town.classes import CLASSES as TOWN_CLASSES
from pixelwise.families.clockwork import family as clockwork
from pixelwise.families.fcn import family as fcn
from pixelwise.families.trained import load_trained
from pixelwise.training.checkpoints import save_tensors
from support.tiny_nets import TINY_BACKBONE, spread_scores

CLASSES, PALETTE = TOWN_CLASSES.names, TOWN_CLASSES.palette


def train_start(folder: Path, data: Path) -> None:
    """A tiny FCN in `folder`, trained for an epoch and then given scores that depend on every stream."""
    settings = {"epochs": 1, "batch_size": 2, "warmup_steps": 0, "loader_threads": 1, "device": "cpu"}
    settings |= {"network": {"backbone": TINY_BACKBONE, "weights": "none"}, "augment": {"whole": True}}
    params = fcn.TrainParams.model_validate(settings)
    train.run(params, "fcn", data, folder / "checkpoint", folder / "state", "none")
    net = load_trained(folder / "checkpoint")[1]
    spread_scores(net, as_batch([picture(n) for n in range(2)]))
    save_tensors(folder / "checkpoint/weights.safetensors", net.state_dict())


def ship_clockwork(folder: Path, data: Path, start: Path) -> None:
    """The clockwork cut from the FCN in `start`, as train and export leave it in `folder`."""
    params = clockwork.TrainParams(pairs=16, steps=60)
    train.run(params, "clockwork", data, folder / "checkpoint", folder / "state", "none", start=start)
    export.run(export.ExportParams(), folder / "checkpoint", folder)


def as_batch(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Pictures (H, W, 3) as a net takes them: (N, 3, H, W)."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()


def picture(seed: int, size: tuple[int, int] = (96, 128)) -> np.ndarray:
    """A picture (H, W, 3) of seeded coloured blocks with texture."""
    rng = np.random.default_rng(seed)
    height, width = size
    blocks = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3)).repeat(16, axis=0).repeat(16, axis=1)
    return np.clip(blocks[:height, :width] + rng.integers(-20, 21, (*size, 3)), 0, 255).astype(np.uint8)


def moving(frames: int, step: int = 3, seed: int = 7, size: tuple[int, int] = (96, 128)) -> list[np.ndarray]:
    """A video of a window that moves to the right over a picture, `step` pixels a frame."""
    height, width = size
    scene = picture(seed, (height, width + step * frames))
    return [np.ascontiguousarray(scene[:, step * frame : step * frame + width]) for frame in range(frames)]


def encode(path: Path, pictures: list[np.ndarray], rate: int = 12, lost: tuple[int, ...] = ()) -> Path:
    """A video of `pictures`; those of the numbers `lost` leave a gap in time."""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            if number not in lost:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, rate)
                writer.mux(stream.encode(frame))
        writer.mux(stream.encode())
    return path
