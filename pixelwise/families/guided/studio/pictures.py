"""Files dropped on the page: pictures, and clips as frames."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath
from tempfile import NamedTemporaryFile

import numpy as np
from PIL import Image

from pixelwise.data.given import picture_of
from pixelwise.data.image_codec import encode_picture
from pixelwise.data.kinds import VIDEO_SUFFIXES
from pixelwise.errors import DataError

# The most frames of a clip: more would fill the memory, and nobody steps through them.
MOST_FRAMES = 300
# The most pixels of the longer side of a shown picture.
SHOWN = 2048


@dataclass(frozen=True)
class Picture:
    """A dropped picture, or a frame of a clip as PNG. size: (H, W), upright; frame: its number in the clip."""

    name: str
    content: bytes
    size: tuple[int, int]
    frame: int | None = None

    def image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright."""
        return picture_of(self.content, self.name)

    def jpeg(self, longest: int) -> bytes:
        """A JPEG whose longer side has at most `longest` pixels, which every browser can show."""
        picture = Image.fromarray(self.image())
        picture.thumbnail((longest, longest))
        return encode_picture(picture, "JPEG", quality=92)


def read_dropped(name: str, content: bytes) -> list[Picture]:
    """Read the picture in a dropped file, or the first MOST_FRAMES of a clip. Raises DataError for other files."""
    if Path(name).suffix.lower() not in VIDEO_SUFFIXES:
        return [Picture(name, content, picture_of(content, name).shape[:2])]
    return [
        Picture(
            f"{PurePath(name).with_suffix('')}.frame_{number:05d}.png", encode_picture(image), image.shape[:2], number
        )
        for number, image in enumerate(frames_of(name, content))
    ]


def frames_of(name: str, content: bytes) -> Iterator[np.ndarray]:
    """Decode the first frames of the clip in `content`. Raises DataError where it is no video or is truncated."""
    # PyAV loads slowly, and pictures do not need it.
    from pixelwise.reporting.video import open_video

    with NamedTemporaryFile(suffix=Path(name).suffix) as file:
        file.write(content)
        file.flush()
        try:
            frames = islice(open_video(Path(file.name)).frames, MOST_FRAMES)
            yield from (frame.image for frame in frames)
        except DataError as error:
            raise DataError(str(error).replace(file.name, name)) from None
