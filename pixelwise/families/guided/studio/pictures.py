"""Files dropped on the page: pictures, and clips as frames."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path, PurePath
from tempfile import NamedTemporaryFile

import numpy as np
from PIL import Image

from pixelwise.data.given import decode_picture
from pixelwise.data.image_codec import encode_picture
from pixelwise.data.kinds import find_kind_of
from pixelwise.data.notes import Notes
from pixelwise.errors import DataError

# The most frames of a clip. More would fill the memory.
MOST_FRAMES = 300
# The most pixels of the longer side of a shown picture.
MOST_PIXELS = 2048


@dataclass(frozen=True)
class Picture:
    """A dropped picture, or a frame of a clip as PNG. size: (H, W), upright; frame: its number in the clip."""

    name: str
    content: bytes
    size: tuple[int, int]
    frame: int | None = None

    def decode(self) -> np.ndarray:
        """Decode the picture to (H, W, 3) uint8 RGB, upright."""
        return decode_picture(self.content, self.name)

    def encode_jpeg(self, longest: int) -> bytes:
        """Encode a JPEG, which every browser can show, with at most `longest` pixels on its longer side."""
        picture = Image.fromarray(self.decode())
        picture.thumbnail((longest, longest))
        return encode_picture(picture, "JPEG", quality=92)


def find_picture(pictures: Sequence[Picture], number: int) -> Picture:
    """Return the picture of this number. Raises DataError if there is no such picture."""
    if not 0 <= number < len(pictures):
        raise DataError(f"picture {number}: unknown, expected one of {len(pictures)}")
    return pictures[number]


def read_dropped(name: str, content: bytes, notes: Notes) -> list[Picture]:
    """Read the picture in a dropped file, or the first MOST_FRAMES of a clip; add what was done to it to `notes`.

    Raises DataError for other files.
    """
    if find_kind_of(BytesIO(content), PurePath(name)) != "video":
        return [Picture(name, content, decode_picture(content, name, notes).shape[:2])]
    return [
        Picture(
            f"{PurePath(name).with_suffix('')}.frame_{number:05d}.png", encode_picture(image), image.shape[:2], number
        )
        for number, image in enumerate(decode_frames(name, content))
    ]


def decode_frames(name: str, content: bytes) -> Iterator[np.ndarray]:
    """Decode the first frames of the clip in `content`. Raises DataError if it is not a video or is truncated."""
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
