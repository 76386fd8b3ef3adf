"""Pictures and videos to predict by the model of `channel_model`, and what `predict` writes."""

from pathlib import Path

import av
import numpy as np
from PIL import Image

from support.channel_model import channel_picture
from support.image_sets import noise, save

SIZE = (40, 60)


def write_picture(path: Path, seed: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture at `path`; returns the class of every pixel."""
    image, label = channel_picture(seed, size)
    save(Image.fromarray(image), path)
    return label


def write_video(path: Path, frames: int, size: tuple[int, int] = SIZE) -> None:
    """Frames of one plain colour each: red, green, blue, red, …"""
    with av.open(str(path), "w") as writer:
        stream = writer.add_stream("mpeg4", rate=12)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for frame in range(frames):
            image = np.full((*size, 3), 20, np.uint8)
            image[..., frame % 3] = 220
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        writer.mux(stream.encode())


def write_frames(path: Path) -> None:
    """Two frames of an animation, or pages."""
    noise(1).save(path, save_all=True, append_images=[noise(2)])


def read_map(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.mode == "P"
        return np.array(picture)


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
