"""Read videos as clips of unlabelled frames, decoded on demand with PyAV."""

import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixelwise.data.cut_files import find_cut
from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import UNLABELLED, Classes, ImagePart, Item, RawData
from pixelwise.data.kinds import VIDEO_SUFFIXES, Kind
from pixelwise.data.notes import Notes
from pixelwise.data.orientation import UPRIGHT, turn
from pixelwise.data.walk import Walk, walk
from pixelwise.errors import DataError

if TYPE_CHECKING:
    import av

SPLIT = "frames"
ONLY_VIDEOS: tuple[Kind, ...] = ("video",)
# Decoded frames that are kept, because threads request neighbouring frames in any order.
CACHED_FRAMES = 4


def read(root: Path) -> RawData:
    """Read the video `root`, or all videos in the folder `root`: one clip each, with unlabelled frames from number 0.

    It counts frames and decodes none. Raises DataError if there is no video, or if one cannot be read or is empty.
    """
    found = Walk((root,)) if root.is_file() else walk(root, ONLY_VIDEOS)
    if not found.files:
        raise DataError(f"root {root}: no video, expected a file of: {' '.join(VIDEO_SUFFIXES)}")
    notes = Notes()
    if found.passed_over:
        notes.add(found.describe_passed_over())
    for file in found.files:
        if missing := find_cut(file):
            notes.add("videos cut off, their frames until then read", f"{file.name}, {missing}")
    # Keep the suffix in the name: a folder may contain a.mp4 and a.mov.
    names = [file.name if file == root else file.relative_to(root).as_posix() for file in found.files]
    clips = [Clip(name, file, count_frames(file)) for name, file in zip(names, found.files, strict=True)]
    return RawData("video", Classes((), ()), VideoItems(clips, FrameReader()), {}, notes=notes)


def count_frames(file: Path) -> int:
    """Count the frames of `file` by its packets, because the frame count in its header is often wrong or missing.

    Raises DataError if it is no video or is empty.
    """
    import av

    try:
        with av.open(str(file)) as container:
            stream = choose_stream(container)
            if stream.codec_context is None:
                # The file is cut within its first frame; decoding it would crash the process.
                raise DataError(f"{file}: breaks off within its first frame, expected a video")
            count = sum(packet.size > 0 and not packet.is_discard for packet in container.demux(stream))
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DataError(f"{file}: no video that can be read: {describe_error(error)}") from None
    if not count:
        raise DataError(f"{file}: no frame, expected a video")
    return count


@dataclass(frozen=True)
class Clip:
    """A video and its number of frames."""

    name: str
    file: Path
    frames: int


@dataclass(frozen=True)
class VideoItems:
    """The frames of all clips, in order. All clips share one reader, so that one video is open at a time."""

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
    """Decodes frames in order; a request before the last CACHED_FRAMES frames restarts the video.

    It does not seek, because timestamps are missing in some containers and wrong in others.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file: Path | None = None
        self._frames: Iterator[av.VideoFrame] = iter(())
        self._next = 0
        self._kept: dict[int, av.VideoFrame] = {}

    def read(self, file: Path, frame: int) -> bytes:
        """Read a frame as PNG. Raises DataError if it cannot be decoded."""
        with self._lock:
            if file != self._file or (frame < self._next and frame not in self._kept):
                self._open(file)
            while frame >= self._next:
                self._decode()
            # Convert within the lock: frames of one decoder share a converter, and concurrent use crashes the process.
            picture = rotate_upright(self._kept[frame])
        # Low compression is fast, and a video has many frames.
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
    """Decode the frames of `file` in order. Raises DataError if it breaks off."""
    import av

    count = 0
    try:
        with av.open(str(file)) as container:
            for frame in container.decode(choose_stream(container)):
                yield frame
                count += 1
    except (av.FFmpegError, IndexError) as error:
        raise DataError(f"breaks off after {count} frames: {describe_error(error)}") from None


def choose_stream(container: "av.container.InputContainer") -> "av.VideoStream":
    """Choose the best video stream that is no cover picture. Raises IndexError where there is none."""
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    best = container.streams.best("video")
    return best if best in streams else streams[0]


def rotate_upright(frame: "av.VideoFrame") -> np.ndarray:
    """Convert a frame to (H, W, 3) uint8, upright: phones store the sensor's picture and how to turn it."""
    return np.ascontiguousarray(turn(frame.to_ndarray(format="rgb24"), read_frame_orientation(frame)))


def read_frame_orientation(frame: "av.VideoFrame") -> int:
    """Read the orientation of a frame from its display matrix, as EXIF numbers it, 1 to 8.

    The matrix says where a step to the right and a step down in the stored frame lead in the upright one. Angles
    between quarter turns count as the nearest.
    """
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return UPRIGHT
    right_x, right_y, _, down_x, down_y = struct.unpack("5i", bytes(stored)[:20])
    if abs(right_x) >= abs(right_y):
        return ((1, 4), (2, 3))[right_x < 0][down_y < 0]
    return ((5, 6), (8, 7))[right_y < 0][down_x < 0]


def describe_error(error: Exception) -> str:
    """Describe the error without the path that FFmpeg appends."""
    return getattr(error, "strerror", None) or "no video stream"
