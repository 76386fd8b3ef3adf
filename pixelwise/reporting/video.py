"""Read and write videos frame by frame with PyAV. Import it only where a video is used: PyAV loads all of FFmpeg."""

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from pixelwise.data.video import describe_error, rotate_upright
from pixelwise.errors import DataError
from pixelwise.files import atomic_path
from pixelwise.progress import progress
from pixelwise.reporting.label_images import Picture

ENCODERS = ("libx264", "libopenh264", "mpeg4")
USUAL_RATE = Fraction(25)
# A longer gap between two frames, in frame intervals, means that frames between them were lost.
LATE = 1.9


@dataclass(frozen=True)
class Video:
    """An opened video. rate: frames per second; total: number of frames, None if unknown; frames: decoded lazily."""

    rate: Fraction
    total: int | None
    frames: Iterator["VideoFrame"]


@dataclass(frozen=True)
class VideoFrame:
    """One frame, upright. follows: whether no frame was lost between the previous frame and this one."""

    image: Picture
    follows: bool


def transform_video(source: Path, target: Path, change: Callable[[int, VideoFrame], Picture]) -> int:
    """Write `change(number, frame)` of every frame of `source` to the MP4 file `target`; return the number of frames.

    One frame is held in memory at a time. The output has the source's average rate and the first frame's size; sound is
    left out. Raises DataError naming `source` if it is no video or breaks off. The frames decoded before the error, or
    before a KeyboardInterrupt (the way to stop a camera), are still written.
    """
    video = open_video(source)
    fault: BaseException | None = None
    count = 0
    with atomic_path(target) as temporary, av.open(str(temporary), "w", format="mp4") as writer:
        stream = None
        try:
            for count, frame in enumerate(progress(video.frames, source.name, total=video.total), start=1):
                picture = pad_to_even(change(count - 1, frame))
                if stream is None:
                    stream = add_stream(writer, video.rate, picture)
                fitting = resize_frame(picture, stream.width, stream.height)
                writer.mux(stream.encode(av.VideoFrame.from_ndarray(fitting, format="rgb24")))
        except (DataError, KeyboardInterrupt) as error:
            fault = error
        if stream is not None:
            writer.mux(stream.encode())
    if fault:
        raise fault
    return count


def open_video(source: Path) -> Video:
    """Open a video file, a camera's device (/dev/video0), a named pipe, or - for standard input.

    Raises DataError if `source` cannot be opened as a video or has no readable frame.
    """
    try:
        reader = av.open(sys.stdin.buffer if is_standard_input(source) else str(source), format=choose_format(source))
        stream = reader.streams.video[0]
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DataError(f"{source}: no video that can be read: {describe_error(error)}") from None
    rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
    frames = decode_frames(source, reader, rate)
    first = next(frames, None)
    if first is None:
        raise DataError(f"{source}: no frame that can be read, expected a video")
    return Video(rate, stream.frames or None, itertools.chain([first], frames))


def is_standard_input(source: Path) -> bool:
    """Whether `source` is "-", standard input."""
    return str(source) == "-"


def choose_format(source: Path) -> str | None:
    """The FFmpeg input format of a camera device; None for all other sources, whose format FFmpeg detects."""
    return "v4l2" if source.is_char_device() else None


def decode_frames(source: Path, reader: av.container.InputContainer, rate: Fraction) -> Iterator[VideoFrame]:
    """Decode the frames of an opened `source`, each (H, W, 3) uint8. Raises DataError if the video breaks off."""
    count, before = 0, None
    try:
        with reader:
            for frame in reader.decode(video=0):
                is_late = before is not None and frame.time is not None and (frame.time - before) * rate > LATE
                yield VideoFrame(rotate_upright(frame), follows=not is_late)
                count, before = count + 1, frame.time
    except av.FFmpegError as error:
        raise DataError(f"{source}: breaks off after {count} frames: {describe_error(error)}") from None


def resize_frame(picture: Picture, width: int, height: int) -> Picture:
    """Resize `picture` to the size of the output video, because a source may change its size midway."""
    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height)))


def add_stream(writer: av.container.OutputContainer, rate: Fraction, picture: Picture) -> av.VideoStream:
    """Add a video stream of `picture`'s size, with the best encoder that this FFmpeg has."""
    encoder = next(name for name in ENCODERS if name in av.codecs_available)
    stream = writer.add_stream(encoder, rate=rate)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    if encoder == "libx264":
        stream.options = {"crf": "20", "preset": "veryfast"}
    else:
        stream.bit_rate = 8_000_000
    return stream


def pad_to_even(picture: Picture) -> Picture:
    """Repeat the last row or column of `picture` where a side is odd: the codecs halve the colour resolution."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
