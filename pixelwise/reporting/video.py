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

from pixelwise.data.cut_files import find_cut
from pixelwise.data.video import choose_stream, describe_error, rotate_upright
from pixelwise.errors import DataError
from pixelwise.files import write_atomically
from pixelwise.progress import progress
from pixelwise.reporting.label_images import Picture

ENCODERS = ("libx264", "libopenh264", "mpeg4")
USUAL_RATE = Fraction(25)
# A longer gap between two frames, in frame intervals, means that frames between them were lost.
LATE = 1.9
# Ticks of a second in which the output gives the times of frames: whole numbers for the frame rates in use. MPEG-4 has
# at most 65,535.
TICK = Fraction(1, 60_000)


@dataclass(frozen=True)
class Video:
    """An opened video. rate: frames per second; total: number of frames, None if unknown; frames: decoded lazily."""

    rate: Fraction
    total: int | None
    frames: Iterator["VideoFrame"]


@dataclass(frozen=True)
class VideoFrame:
    """One frame, upright. follows: whether no frame was lost between the previous frame and this one.

    seconds: how long after the first frame it is shown; None where the source does not say.
    """

    image: Picture
    follows: bool
    seconds: float | None = None


def transform_video(source: Path, target: Path, change: Callable[[int, VideoFrame], Picture]) -> int:
    """Write `change(number, frame)` of every frame of `source` to the MP4 file `target`; return the number of frames.

    One frame is held in memory at a time. The output has the first frame's size and shows every frame when the source
    shows it; sound is left out. Raises DataError naming `source` if it is no video or breaks off. The frames decoded
    before the error, or before a KeyboardInterrupt (the way to stop a camera), are still written.
    """
    video = open_video(source)
    fault: BaseException | None = None
    count = 0
    with write_atomically(target) as temporary, Writer(temporary, video.rate) as writer:
        try:
            for count, frame in enumerate(progress(video.frames, source.name, total=video.total), start=1):
                writer.add(change(count - 1, frame), frame.seconds)
        except (BreaksOffError, KeyboardInterrupt) as error:
            fault = error
    if fault:
        raise fault
    return count


class Writer:
    """Writes pictures to an MP4 file of the first picture's size. Sides are made even, as the codecs need."""

    def __init__(self, target: Path, rate: Fraction) -> None:
        self.container = av.open(str(target), "w", format="mp4")
        self.rate = rate
        self.stream: av.VideoStream | None = None
        # The tick at which the next picture is shown where the source does not say.
        self.next = 0
        self.last = -1

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        if self.stream is not None:
            self.container.mux(self.stream.encode())
        self.container.close()

    def add(self, picture: Picture, seconds: float | None) -> None:
        """Add a picture (H, W, 3) that is shown `seconds` after the first; None: one frame interval after the last."""
        picture = pad_to_even(picture)
        if self.stream is None:
            self.stream = add_stream(self.container, self.rate, picture)
        frame = av.VideoFrame.from_ndarray(resize_frame(picture, self.stream.width, self.stream.height), format="rgb24")
        # Two frames at the same time, as some recorders write, cannot be stored.
        self.last = max(self.last + 1, self.next if seconds is None else round(seconds / TICK))
        self.next = self.last + round(1 / self.rate / TICK)
        frame.pts, frame.time_base, frame.duration = self.last, TICK, self.next - self.last
        self.container.mux(self.stream.encode(frame))


class BreaksOffError(DataError):
    """A video ends before its last frame."""


def open_video(source: Path) -> Video:
    """Open a video file, a camera's device (/dev/video0), a named pipe, or - for standard input.

    Raises DataError if `source` cannot be opened as a video or has no readable frame.
    """
    try:
        reader = av.open(sys.stdin.buffer if is_standard_input(source) else str(source), format=choose_format(source))
        stream = choose_stream(reader)
    except (av.FFmpegError, OSError, IndexError) as error:
        reason = (find_cut(source) if source.is_file() else "") or describe_error(error)
        raise DataError(f"{source}: no video that can be read: {reason}") from None
    if stream.codec_context is None:
        # The file is cut within its first frame; decoding it would crash the process.
        raise DataError(f"{source}: no video that can be read: breaks off within its first frame")
    rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
    frames = decode_frames(source, stream, rate)
    try:
        first = next(frames, None)
    except BreaksOffError as error:
        raise DataError(str(error)) from None
    if first is None:
        raise DataError(f"{source}: no frame that can be read, expected a video")
    return Video(rate, stream.frames or None, itertools.chain([first], frames))


def is_standard_input(source: Path) -> bool:
    """Whether `source` is "-", standard input."""
    return str(source) == "-"


def choose_format(source: Path) -> str | None:
    """The FFmpeg input format of a camera device; None for all other sources, whose format FFmpeg detects."""
    return "v4l2" if source.is_char_device() else None


def decode_frames(source: Path, stream: av.VideoStream, rate: Fraction) -> Iterator[VideoFrame]:
    """Decode the frames of an opened `source`, each (H, W, 3) uint8. Raises BreaksOffError if the video breaks off."""
    count, seconds, previous = 0, 0.0, None
    try:
        with stream.container as reader:
            for frame in reader.decode(stream):
                step = 0.0 if previous is None or frame.time is None else frame.time - previous
                # Times that go back begin anew, as where recordings were joined.
                seconds += step if step >= 0 else float(1 / rate)
                follows = 0 <= step * rate <= LATE
                yield VideoFrame(rotate_upright(frame), follows, None if frame.time is None else seconds)
                count, previous = count + 1, frame.time
    except av.FFmpegError as error:
        raise BreaksOffError(f"{source}: breaks off after {count} frames: {describe_error(error)}") from None
    if source.is_file() and (missing := find_cut(source)):
        raise BreaksOffError(f"{source}: breaks off after {count} frames: {missing}")


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
    stream.time_base = stream.codec_context.time_base = TICK
    if encoder == "libx264":
        stream.options = {"crf": "20", "preset": "veryfast"}
    else:
        stream.bit_rate = 8_000_000
    return stream


def pad_to_even(picture: Picture) -> Picture:
    """Repeat the last row or column of `picture` where a side is odd: the codecs halve the colour resolution."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
