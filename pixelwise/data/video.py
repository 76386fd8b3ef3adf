"""Videos as clips of unlabelled frames, decoded one by one as they are asked for (PyAV)."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import UNLABELLED, Classes, ImagePart, Item, RawData
from pixelwise.errors import DataError

if TYPE_CHECKING:
    import av

SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".wmv", ".ogv", ".flv", ".3gp")
SPLIT = "frames"
# Threads ask for neighbours in any order; so many frames stay decoded.
CACHED_FRAMES = 4


def read(root: Path) -> RawData:
    """The video `root`, or every video in the folder `root`: a clip each, its frames numbered from 0 and unlabelled.

    It counts the frames and decodes none. Raises DataError where there is no video, or one is broken or empty.
    """
    files = [root] if root.is_file() else sorted(file for file in root.rglob("*") if is_video(file))
    if not files:
        raise DataError(f"root {root}: no video, expected a file of: {' '.join(SUFFIXES)}")
    # With its suffix, as a.mp4 and a.mov may lie side by side.
    names = [file.name if file == root else file.relative_to(root).as_posix() for file in files]
    clips = [Clip(name, file, count_frames(file)) for name, file in zip(names, files, strict=True)]
    return RawData("video", Classes((), ()), VideoItems(clips, FrameReader()), {})


def is_video(file: Path) -> bool:
    """Whether a file is called like a video."""
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()


def count_frames(file: Path) -> int:
    """How many frames `file` holds, by its packets: what a file says of itself is often wrong or missing.

    Raises DataError where it is no video or is empty.
    """
    import av

    try:
        with av.open(str(file)) as container:
            if container.streams.video[0].codec_context is None:
                # Of a file cut within its first frame; decoding it would end the process.
                raise DataError(f"{file}: breaks off within its first frame, expected a video")
            count = sum(packet.size > 0 and not packet.is_discard for packet in container.demux(video=0))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DataError(f"{file}: no video that can be read: {describe_error(error)}") from None
    if not count:
        raise DataError(f"{file}: no frame, expected a video")
    return count


@dataclass(frozen=True)
class Clip:
    """A video and how many frames it has."""

    name: str
    file: Path
    frames: int


@dataclass(frozen=True)
class VideoItems:
    """The frames of all clips, in order. One reader serves all, so that one video is open at a time."""

    clips: list[Clip]
    reader: "FrameReader"

    def __len__(self) -> int:
        return sum(clip.frames for clip in self.clips)

    def __iter__(self) -> Iterator[Item]:
        for clip in self.clips:
            for frame in range(clip.frames):
                image = ImagePart(clip.file, partial(self.reader.read, clip.file, frame))
                yield Item(f"{clip.name}/{frame:06d}", SPLIT, image, UNLABELLED, clip=clip.name, frame=frame)


class FrameReader:
    """Decodes frames in their order; a step back beyond the last few begins the video again.

    Seeking is no help: timestamps are missing from some containers and untrue in others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: Path | None = None
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._next = 0
        self._kept: dict[int, av.VideoFrame] = {}

    def read(self, file: Path, frame: int) -> bytes:
        """The picture of a frame, as PNG. Raises DataError where it cannot be decoded."""
        with self._lock:
            if file != self._file or (frame < self._next and frame not in self._kept):
                self._open(file)
            while frame >= self._next:
                self._decode()
            # Within the lock: frames of one decoder share what converts them, and two at once end the process.
            picture = rotate_upright(self._kept[frame])
        # Packed lightly, since a video has many.
        return encode_picture(picture, compress_level=1)

    def _open(self, file: Path) -> None:
        self._file, self._frames, self._next, self._kept = file, decode_frames(file), 0, {}

    def _decode(self) -> None:
        decoded = next(self._frames, None)
        if decoded is None:
            raise DataError(f"breaks off after {self._next} frames, expected more by its packets")
        self._kept[self._next] = decoded
        self._kept.pop(self._next - CACHED_FRAMES, None)
        self._next += 1


def decode_frames(file: Path) -> Iterator["av.VideoFrame"]:
    """The frames of `file`. Raises DataError where it breaks off."""
    import av

    count = 0
    try:
        with av.open(str(file)) as container:
            for frame in container.decode(video=0):
                yield frame
                count += 1
    except (av.FFmpegError, IndexError) as error:
        raise DataError(f"breaks off after {count} frames: {describe_error(error)}") from None


def rotate_upright(frame: "av.VideoFrame") -> np.ndarray:
    """A frame, (H, W, 3) uint8: a phone stores it as the sensor saw it and notes how it was held."""
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))


def describe_error(error: Exception) -> str:
    """What went wrong, without the path that FFmpeg repeats."""
    return getattr(error, "strerror", None) or "no video stream"
