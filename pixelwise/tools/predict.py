"""Predict with an exported model: write label maps and overlays of pictures, folders and videos."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from pixelwise import command
from pixelwise.data.given import read_picture
from pixelwise.data.image_codec import SUFFIXES, encode_picture
from pixelwise.data.video import SUFFIXES as VIDEO_SUFFIXES
from pixelwise.errors import DataError, ModelError, PixelwiseError
from pixelwise.families import find_options, find_runtime
from pixelwise.families.exported import family_of, family_on
from pixelwise.families.hooks import Predictor, Stream
from pixelwise.files import write_bytes
from pixelwise.progress import progress
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.label_images import Picture, draw_legend, encode_label, overlay


@dataclass(frozen=True)
class Report:
    """Summary of a prediction. images: number of pictures and video frames. summary: text of the family's stream."""

    model: Path
    output: Path
    provider: str
    inputs: int
    images: int
    seconds: float
    summary: str = ""

    def __str__(self) -> str:
        rate = self.images / max(self.seconds, 1e-9)
        return (f"{self.summary}\n" if self.summary else "") + (
            f"{self.inputs} inputs, {self.images} images in {self.seconds:.1f} s on {self.provider} "
            f"({rate:.1f} a second, reading and writing included)\n"
            f"label maps and overlays: {self.output}\n"
            f"next: pixelwise evaluate --model {self.model} --dataset folder --root LABELLED --split val"
        )


@dataclass(frozen=True)
class Input:
    """One picture or video. name: path of its results below the output folder, without their endings."""

    path: Path
    name: Path


def run(
    params: Any,
    inputs: Annotated[list[Path], "pictures, videos, folders of them, a camera (/dev/video0), or - for a stream"],
    model: Annotated[Path, "folder of the exported model, its .onnx file, or models:/NAME@ALIAS"],
    output: Annotated[Path, "folder to write to"],
) -> Report:
    """Write NAME.label.png (values are classes) and NAME.overlay.png of every picture, NAME.label/ and NAME.overlay.mp4
    of every video. Folders are searched recursively; results keep their subfolders.

    The family of the model may add options, which `pixelwise predict --model MODEL --help` shows: the --schedule of a
    clockwork over videos, the --guidance of a guided model.

    An input that cannot be read is named and skipped; the others are written, and the command ends with DataError.
    Raises ModelError where the model needs inputs beside the image, and every error of the family's `open_model`.
    """
    model = resolve_model_folder(model)
    options = params.model_dump(exclude={"alpha"})
    predictor = find_runtime(family_of(model)).open_model(model, **options)
    if predictor.inputs != ("image",):
        raise ModelError(f"{model}: takes {' and '.join(predictor.inputs)}, expected image alone: predict has pictures")
    stream = predictor.stream()
    found = find_inputs(inputs, output)
    started = time.perf_counter()
    images, faults = 0, []
    for item in progress(found, "predict"):
        try:
            images += predict_one(predictor, stream, item, output, params.alpha)
        except PixelwiseError as error:
            faults.append(error)
        except OSError as error:
            raise DataError(f"{output}: cannot be written to: {error.strerror or error}") from None
    for fault in faults:
        print(f"skipped: {fault}", file=sys.stderr)
    if faults:
        raise DataError(f"{len(faults)} of {len(found)} inputs could not be used, see above; results: {output}")
    took = time.perf_counter() - started
    return Report(model, output, predictor.provider, len(found), images, took, stream.summary())


def find_inputs(given: Sequence[Path], output: Path) -> list[Input]:
    """List the files to predict, each once, with distinct names for their results.

    Raises DataError where a folder holds no picture or video outside `output`.
    """
    files: dict[Path, Path] = {}
    for path in given:
        for file in [path] if not path.is_dir() else search(path, output):
            relative = file.relative_to(path) if path.is_dir() else Path("stream" if str(path) == "-" else file.name)
            # Keyed by the resolved path, so that a file given twice is predicted once.
            files.setdefault(file if is_stream(file) else file.resolve(), relative)
    return [Input(file, name) for file, name in zip(files, result_names(list(files.values())), strict=True)]


def search(folder: Path, output: Path) -> list[Path]:
    """List the pictures and videos in `folder` and below, outside `output`. Raises DataError where there are none."""
    kinds = (*SUFFIXES, *VIDEO_SUFFIXES)
    inside = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in kinds and file.is_file()]
    files = [file for file in inside if not file.resolve().is_relative_to(output.resolve())]
    if inside and not files:
        raise DataError(f"{folder}: all pictures and videos lie in the output {output}, expected another --output")
    if not files:
        raise DataError(f"{folder}: no picture or video, expected files ending in {' '.join(kinds)}")
    return files


def result_names(relative: Sequence[Path]) -> Iterator[Path]:
    """Yield a distinct name for each file: without suffix; with it where two would be equal; else numbered."""
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


def predict_one(predictor: Predictor, stream: Stream, item: Input, output: Path, alpha: float) -> int:
    """Write the results of one input and return the number of its images. Raises DataError where it cannot be read."""
    target = output / item.name
    if item.path.suffix.lower() in VIDEO_SUFFIXES or is_stream(item.path):
        return predict_video(predictor, stream, item.path, target, alpha)
    image = read_picture(item.path)
    prediction = predictor.predict(image[None])[0]
    shown = np.unique(prediction)
    write_bytes(ending(target, ".label.png"), encode_label(prediction, predictor.palette))
    write_bytes(ending(target, ".overlay.png"), encode_picture(explained(predictor, image, prediction, shown, alpha)))
    return 1


def predict_video(predictor: Predictor, stream: Stream, source: Path, target: Path, alpha: float) -> int:
    """Write NAME.overlay.mp4 and one label map per frame, NAME.label/frame_00000.png and so on; return the frames."""
    # Imported here, since PyAV is large and pictures do not need it.
    from pixelwise.reporting.video import VideoFrame, transform_video

    every_class = np.arange(len(predictor.names))
    stream.reset()

    def predict_frame(number: int, frame: VideoFrame) -> Picture:
        prediction = stream.step(frame.image, frame.follows)
        write_bytes(ending(target, ".label") / f"frame_{number:05d}.png", encode_label(prediction, predictor.palette))
        return stream.annotate(explained(predictor, frame.image, prediction, every_class, alpha))

    return transform_video(source, ending(target, ".overlay.mp4"), predict_frame)


def is_stream(path: Path) -> bool:
    """Whether `path` is a live source of frames: standard input, a camera or a named pipe."""
    return str(path) == "-" or path.is_char_device() or path.is_fifo()


def explained(predictor: Predictor, image: Picture, prediction: np.ndarray, shown: np.ndarray, alpha: float) -> Picture:
    """Draw the overlay with a legend of the classes `shown` below it."""
    width = image.shape[1]
    entries = [(predictor.names[index], predictor.palette[index]) for index in shown]
    key = draw_legend(entries, width, size=min(max(width // 40, 11), 32))
    return np.concatenate([overlay(image, prediction, predictor.palette, alpha), key])


def ending(name: Path, suffix: str) -> Path:
    """Append `suffix` to `name`; dots in the name are kept."""
    return name.with_name(name.name + suffix)


def main(argv: list[str] | None = None) -> None:
    """Run `pixelwise predict`. The model's family is read first, since it determines the options."""
    with command.plain_errors():
        command.main(run, argv=argv, params=find_options(family_on(argv)).PredictParams)


if __name__ == "__main__":
    main()
