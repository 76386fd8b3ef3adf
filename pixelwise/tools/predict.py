"""Predict: label maps and overlays for pictures, folders and videos, with any exported model."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pixelwise import command
from pixelwise.data.pictures import SUFFIXES
from pixelwise.data.video import SUFFIXES as VIDEO_SUFFIXES
from pixelwise.errors import DataError, ModelError, ParamsError, PixelwiseError
from pixelwise.families.clockwork.measure.strip import Strip
from pixelwise.families.clockwork.runtime.clockwork_engine import Frame, open_staged
from pixelwise.families.clockwork.runtime.engines import Engine, open_engine, with_value
from pixelwise.families.guided.measure.files import read_picture
from pixelwise.families.guided.measure.prediction import GuidedSegmenter, open_guided
from pixelwise.files import write_bytes
from pixelwise.inference.session import Provider, Segmenter, open_model
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.pictures import Picture, encode_label, encode_picture, legend, overlay


class PredictParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    alpha: float = Field(0.5, ge=0, le=1, description="strength of the colours in overlays, 0 to 1")


@dataclass(frozen=True)
class Report:
    """What was written. `images` counts pictures and frames of videos."""

    model: Path
    output: Path
    provider: str
    inputs: int
    images: int
    seconds: float
    scheduled: "Scheduled | None" = None

    def __str__(self) -> str:
        rate = self.images / max(self.seconds, 1e-9)
        return (f"{self.scheduled}\n" if self.scheduled else "") + (
            f"{self.inputs} inputs, {self.images} images in {self.seconds:.1f} s on {self.provider} "
            f"({rate:.1f} a second, reading and writing included)\n"
            f"label maps and overlays: {self.output}\n"
            f"next: pixelwise evaluate --model {self.model} --dataset folder --root LABELLED --split val"
        )


@dataclass
class Scheduled:
    """A clockwork on a schedule over the videos: the engine, and what it did. seconds: its own, reading left out."""

    name: str
    engine: Engine
    fired: list[tuple[bool, ...]] = field(default_factory=list)
    seconds: float = 0.0

    def step(self, image: Picture) -> Frame:
        """Label the next frame and note what it took."""
        frame = self.engine.step(image)
        self.fired.append(frame.fired)
        self.seconds += frame.seconds
        return frame

    def __str__(self) -> str:
        shares = ", ".join(
            f"stage {place + 1} on {share:.0%}" for place, share in enumerate(np.mean(self.fired, axis=0))
        )
        rate = len(self.fired) / max(self.seconds, 1e-9)
        return f"schedule {self.name}: {rate:.1f} frames a second, reading and writing left out; {shares} of the frames"


@dataclass(frozen=True)
class Input:
    """One picture or video; its results are `name` plus an ending, under the output folder."""

    path: Path
    name: Path


def run(
    params: PredictParams,
    inputs: Annotated[list[Path], "pictures, videos, folders of them, a camera (/dev/video0), or - for a stream"],
    model: Annotated[Path, "folder of the exported model, its .onnx file, or models:/NAME@ALIAS"],
    output: Annotated[Path, "folder to write to"],
    schedule: Annotated[str | None, "NAME[:VALUE] of a clockwork over videos: carry:4, motion, adaptive, …"] = None,
    guidance: Annotated[Path | None, "guidance file for a guided model, from `pixelwise guide`"] = None,
) -> Report:
    """Write NAME.label.png (values are classes) and NAME.overlay.png of every picture, NAME.label/ and NAME.overlay.mp4
    of every video. Folders are searched through and their subfolders kept. With a schedule, a strip below the overlay
    shows which stages ran.

    An input that cannot be read is named and skipped; then the command ends with DataError, the others being written.
    Raises ModelError where the model takes more than pictures or is not in stages, ParamsError where there is no such
    schedule.
    """
    if schedule and guidance:
        raise ParamsError("predict: found --schedule and --guidance, expected one of them")
    model = resolve_model_folder(model)
    staged = open_staged(model, params.provider) if schedule else None
    scheduled = Scheduled(with_value(staged, schedule), open_engine(staged, schedule)) if staged and schedule else None
    segmenter: Segmenter | GuidedSegmenter
    if scheduled:
        segmenter = scheduled.engine.model.plain
    else:
        segmenter = open_guided(model, guidance, params.provider) if guidance else open_model(model, params.provider)
    if segmenter.inputs != ("image",):
        raise ModelError(f"{model}: takes {' and '.join(segmenter.inputs)}, expected image alone: predict has pictures")
    found = find_inputs(inputs, output)
    started = time.perf_counter()
    images, faults = 0, []
    for item in progress(found, "predict"):
        try:
            images += predict_one(segmenter, item, output, params.alpha, scheduled)
        except PixelwiseError as error:
            faults.append(error)
        except OSError as error:
            raise DataError(f"{output}: cannot be written to: {error.strerror or error}") from None
    for fault in faults:
        print(f"skipped: {fault}", file=sys.stderr)
    if faults:
        raise DataError(f"{len(faults)} of {len(found)} inputs could not be used, see above; results: {output}")
    took = time.perf_counter() - started
    done = scheduled if scheduled and scheduled.fired else None
    return Report(model, output, segmenter.provider, len(found), images, took, done)


def find_inputs(given: Sequence[Path], output: Path) -> list[Input]:
    """The files to predict, each once, with names for their results that do not clash.

    Raises DataError where a folder holds neither picture nor video.
    """
    files: dict[Path, Path] = {}
    for path in given:
        for file in [path] if not path.is_dir() else search(path, output):
            relative = file.relative_to(path) if path.is_dir() else Path("stream" if str(path) == "-" else file.name)
            # Keyed by the real file, so that one given twice is predicted once.
            files.setdefault(file if is_stream(file) else file.resolve(), relative)
    return [Input(file, name) for file, name in zip(files, result_names(list(files.values())), strict=True)]


def search(folder: Path, output: Path) -> list[Path]:
    """The pictures and videos in `folder` and below, except for what lies in `output`."""
    kinds = (*SUFFIXES, *VIDEO_SUFFIXES)
    inside = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in kinds and file.is_file()]
    files = [file for file in inside if not file.resolve().is_relative_to(output.resolve())]
    if inside and not files:
        raise DataError(f"{folder}: all pictures and videos lie in the output {output}, expected another --output")
    if not files:
        raise DataError(f"{folder}: no picture or video, expected files ending in {' '.join(kinds)}")
    return files


def result_names(relative: Sequence[Path]) -> Iterator[Path]:
    """A name for each file: without its suffix, with it where two would be alike, then numbered."""
    stems = Counter(str(path.with_suffix("")).casefold() for path in relative)
    taken: set[str] = set()
    for path in relative:
        plain = path.with_suffix("")
        base = name = plain if stems[str(plain).casefold()] == 1 else path
        number = 2
        while str(name).casefold() in taken:
            name, number = base.with_name(f"{base.name}-{number}"), number + 1
        taken.add(str(name).casefold())
        yield name


def predict_one(
    segmenter: Segmenter | GuidedSegmenter, item: Input, output: Path, alpha: float, scheduled: Scheduled | None
) -> int:
    """Write the results of one input and return the number of its images. Raises DataError where it cannot be read."""
    target = output / item.name
    if item.path.suffix.lower() in VIDEO_SUFFIXES or is_stream(item.path):
        return predict_video(segmenter, item.path, target, alpha, scheduled)
    image = read_picture(item.path)
    prediction = segmenter.predict(image[None])[0]
    shown = np.unique(prediction)
    write_bytes(ending(target, ".label.png"), encode_label(prediction, segmenter.palette))
    write_bytes(ending(target, ".overlay.png"), encode_picture(explained(segmenter, image, prediction, shown, alpha)))
    return 1


def predict_video(
    segmenter: Segmenter | GuidedSegmenter, source: Path, target: Path, alpha: float, scheduled: Scheduled | None
) -> int:
    """Write NAME.overlay.mp4 and a label map a frame, NAME.label/frame_00000.png and on."""
    # PyAV is large, and pictures do without it.
    from pixelwise.reporting.video import VideoFrame, transform_video

    every_class = np.arange(len(segmenter.names))
    strip = Strip(len(scheduled.engine.model.stages)) if scheduled else None
    # A guided model follows what it found in the frame before.
    tracker = segmenter.tracker() if isinstance(segmenter, GuidedSegmenter) else None
    if scheduled:
        scheduled.engine.reset()

    def predict_frame(number: int, frame: VideoFrame) -> Picture:
        if scheduled and not frame.follows:
            scheduled.engine.reset()
        labelled = scheduled.step(frame.image) if scheduled else None
        if labelled:
            prediction = labelled.prediction
        else:
            prediction = tracker.step(frame.image) if tracker else segmenter.predict(frame.image[None])[0]
        write_bytes(ending(target, ".label") / f"frame_{number:05d}.png", encode_label(prediction, segmenter.palette))
        shown = explained(segmenter, frame.image, prediction, every_class, alpha)
        return np.concatenate([shown, strip.after(labelled.fired, shown.shape[1])]) if labelled and strip else shown

    return transform_video(source, ending(target, ".overlay.mp4"), predict_frame)


def is_stream(path: Path) -> bool:
    """Whether `path` is standard input, a camera or a pipe: frames that come as they are made."""
    return str(path) == "-" or path.is_char_device() or path.is_fifo()


def explained(
    segmenter: Segmenter | GuidedSegmenter, image: Picture, prediction: np.ndarray, shown: np.ndarray, alpha: float
) -> Picture:
    """The overlay with the legend of the classes `shown` below it."""
    width = image.shape[1]
    entries = [(segmenter.names[index], segmenter.palette[index]) for index in shown]
    key = legend(entries, width, size=min(max(width // 40, 11), 32))
    return np.concatenate([overlay(image, prediction, segmenter.palette, alpha), key])


def ending(name: Path, suffix: str) -> Path:
    """`name` with `suffix` added; dots in the name are kept."""
    return name.with_name(name.name + suffix)


def main(argv: list[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
