"""Videos frame by frame through PyAV. Import it only where there is a video: PyAV loads all of FFmpeg."""

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from components.errors import DataError
from components.files import atomic_path
from components.progress import progress
from components.reporting.pictures import Picture

ENCODERS = ("libx264", "libopenh264", "mpeg4")
USUAL_RATE = Fraction(25)


def transform_video(source: Path, target: Path, change: Callable[[int, Picture], Picture]) -> int:
    """Write `change(frame, image)` of every frame of `source` to the MP4 file `target`; return how many frames.

    One frame is held at a time. Frames keep the source's average rate; sound is left out. Raises DataError naming
    `source` where it is no video or breaks off; what was decoded before is written.
    """
    rate, total, images = open_video(source)
    fault = None
    count = 0
    with atomic_path(target) as temporary, av.open(str(temporary), "w", format="mp4") as writer:
        stream = None
        try:
            for count, image in enumerate(progress(images, source.name, total=total), start=1):
                picture = even_sides(change(count - 1, image))
                if stream is None:
                    stream = add_stream(writer, rate, picture)
                writer.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        except DataError as error:
            fault = error
        if stream is not None:
            writer.mux(stream.encode())
    if fault:
        raise fault
    return count


def open_video(source: Path) -> tuple[Fraction, int | None, Iterator[Picture]]:
    """The rate, the number of frames where the file says it, and the frames. Raises DataError where there is none."""
    try:
        with av.open(str(source)) as reader:
            stream = reader.streams.video[0]
            rate, total = stream.average_rate or stream.guessed_rate or USUAL_RATE, stream.frames or None
    except (av.FFmpegError, OSError, IndexError) as error:
        raise DataError(f"{source}: no video that can be read: {reason(error)}") from None
    images = decode(source)
    first = next(images, None)
    if first is None:
        raise DataError(f"{source}: no frame that can be read, expected a video")
    return rate, total, itertools.chain([first], images)


def decode(source: Path) -> Iterator[Picture]:
    """The frames of `source`, upright, each (H, W, 3) uint8. Raises DataError where the video breaks off."""
    count = 0
    try:
        with av.open(str(source)) as reader:
            for frame in reader.decode(video=0):
                # A phone stores a frame as the sensor saw it and notes how it was held.
                yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
                count += 1
    except av.FFmpegError as error:
        raise DataError(f"{source}: breaks off after {count} frames: {reason(error)}") from None


def add_stream(writer: av.container.OutputContainer, rate: Fraction, picture: Picture) -> av.VideoStream:
    """A video stream for pictures like `picture`, of the best encoder that this FFmpeg has."""
    encoder = next(name for name in ENCODERS if name in av.codecs_available)
    stream = writer.add_stream(encoder, rate=rate)
    stream.height, stream.width = picture.shape[:2]
    stream.pix_fmt = "yuv420p"
    if encoder == "libx264":
        stream.options = {"crf": "20", "preset": "veryfast"}
    else:
        stream.bit_rate = 8_000_000
    return stream


def even_sides(picture: Picture) -> Picture:
    """`picture` with its last row and column repeated where a side is odd: the codecs halve the colours' resolution."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def reason(error: Exception) -> str:
    """What went wrong, without the path that FFmpeg repeats."""
    return getattr(error, "strerror", None) or "no video stream"
