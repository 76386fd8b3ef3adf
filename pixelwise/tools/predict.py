"""Predict with an exported model: write label maps and overlays of pictures, folders and videos."""

import errno
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from pixelwise import command
from pixelwise.data.given import read_picture
from pixelwise.data.inputs import Input, find_inputs
from pixelwise.data.notes import Notes
from pixelwise.data.writers import WRITERS, Writer
from pixelwise.errors import DataError, ModelError, PixelwiseError
from pixelwise.evaluation.engine_choice import choose_provider
from pixelwise.families import find_options, find_runtime
from pixelwise.families.exported import find_family, find_family_on_command_line
from pixelwise.families.hooks import ConfidentPredictor, Predictor, Stream
from pixelwise.files import write_together
from pixelwise.inference.session import NO_CONFIDENCE
from pixelwise.progress import progress
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.label_images import Picture, encode_label
from pixelwise.reporting.prediction_files import Style, write_picture


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
    georeferenced: int = 0
    annotations: Path | None = None

    def __str__(self) -> str:
        rate = self.images / max(self.seconds, 1e-9)
        return (f"{self.summary}\n" if self.summary else "") + (
            f"{self.inputs} inputs, {self.images} images in {self.seconds:.1f} s on {self.provider} "
            f"({rate:.1f} a second, reading and writing included)\n"
            f"label maps and overlays: {self.output}\n"
            f"{self.describe_georeferenced()}{self.describe_annotations()}"
            f"next: pixelwise evaluate --model {self.model} --dataset folder --root LABELLED --split val"
        )

    def describe_georeferenced(self) -> str:
        """Say how many GeoTIFFs were labelled as such; an empty text where none was."""
        return f"label maps with the georeference of their picture: {self.georeferenced} .label.tif\n" * bool(
            self.georeferenced
        )

    def describe_annotations(self) -> str:
        """Say what to import into a labelling tool; an empty text where nothing was written for one."""
        return f"annotations to import: {self.annotations}\n" if self.annotations else ""


@dataclass(frozen=True)
class Predicted:
    """What was predicted: pictures and frames, and pictures with a georeference.

    notes: a line about each way in which pictures were reduced. faults: a line about each failed input.
    """

    images: int
    georeferenced: int
    notes: list[str]
    faults: list[str]


def run(
    params: Any,
    inputs: Annotated[list[Path], "pictures, videos, folders of them, a camera (/dev/video0), or - for a stream"],
    model: Annotated[Path, "folder of the exported model, its .onnx file, or models:/NAME@ALIAS"],
    output: Annotated[Path, "folder to write to"],
    confidence: Annotated[bool, "also write the probability of each pixel's class, for pictures"] = False,
) -> Report:
    """Write NAME.label.png (values are classes) and NAME.overlay.png of every picture, NAME.label/ and NAME.overlay.mp4
    of every video. Folders are searched recursively; results keep their subfolders.

    The family of the model may add options, which `pixelwise predict --model MODEL --help` shows: the --schedule of a
    clockwork over videos, the --guidance of a guided model.

    --format adds annotations of the pictures for a labelling tool: coco, cvat, labelme or yolo. The pictures' paths are
    those of the results, so pictures and annotations can be imported together.

    --confidence adds NAME.confidence.png of every picture: the probability of each pixel's class, 0 as 0 and 1 as 255.

    A GeoTIFF also gets NAME.label.tif, and NAME.confidence.tif in float32, with its georeference. The results of an
    input are written together or not at all. Files of other kinds in a folder are counted and passed over.

    An input that cannot be read is named and skipped; the others are written, and the command ends with DataError.
    Raises ModelError where the model needs inputs beside the image, and every error of the family's `open_model`.
    """
    folder = resolve_model_folder(model)
    options = params.model_dump(exclude={"alpha", "format", "provider"})
    family, provider = find_family(folder), choose_provider(folder, params.provider)
    predictor = find_runtime(family).open_model(folder, provider, **options)
    if confidence:
        require_confidence(predictor, model)
    if predictor.inputs != ("image",):
        raise ModelError(f"{model}: takes {' and '.join(predictor.inputs)}, expected image alone: predict has pictures")
    stream = predictor.stream()
    require_writable(output)
    given = find_inputs(inputs, output)
    if given.passed_over:
        print(given.passed_over, file=sys.stderr)
    started = time.perf_counter()
    writer = WRITERS[params.format](output, predictor.names) if params.format else None
    style = Style(predictor.names, predictor.palette, params.alpha)
    done = predict_all(predictor, stream, given.found, output, style, writer, confidence)
    annotations = writer.finish() if writer else None
    for note in done.notes:
        print(note, file=sys.stderr)
    for fault in done.faults:
        print(f"skipped: {fault}", file=sys.stderr)
    if done.faults:
        count = f"{len(done.faults)} of {len(given.found)} inputs"
        raise DataError(f"{count} could not be used, see above; results: {output}")
    took = time.perf_counter() - started
    return Report(
        model,
        output,
        predictor.provider,
        inputs=len(given.found),
        images=done.images,
        seconds=took,
        summary=stream.summary(),
        georeferenced=done.georeferenced,
        annotations=annotations,
    )


def require_confidence(predictor: Predictor, model: Path) -> None:
    """Raise ModelError where the open `model` gives no confidence."""
    if not isinstance(predictor, ConfidentPredictor):
        raise ModelError(f"{model}: its family gives no class probabilities, expected one that does with --confidence")
    if not predictor.gives_confidence:
        raise ModelError(f"{model}: {NO_CONFIDENCE}")


def require_writable(output: Path) -> None:
    """Raise DataError where `output` cannot be a folder that is written to."""
    folder = next(path for path in (output, *output.absolute().parents) if path.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        reason = "not permitted" if folder.is_dir() else f"{folder} is no folder"
        raise DataError(f"{output}: cannot be written to: {reason}")


def predict_all(
    predictor: Predictor,
    stream: Stream,
    found: Sequence[Input],
    output: Path,
    style: Style,
    writer: Writer | None,
    confidence: bool,
) -> Predicted:
    """Predict every input; an input that fails is a fault, and the others are still done. `writer` gets the labels.

    With `confidence`, that of pictures is written too, and a video is a fault. Raises DataError where nothing more can
    be written.
    """
    images, georeferenced, notes, faults = 0, 0, Notes(), []
    for item in progress(found, "predict"):
        try:
            if item.is_video and confidence:
                raise DataError(f"{item.path}: a video, expected pictures alone with --confidence")
            if item.is_video:
                images += predict_video(stream, item.path, output / item.name, style)
            else:
                image = read_picture(item.path, notes)
                prediction, sure = predict_picture(predictor, image, confidence)
                georeferenced += write_picture(style, item.path, image, prediction, sure, output / item.name)
                if writer:
                    writer.add(item.name, item.path, prediction)
                images += 1
        except ModelError as error:
            faults.append(f"{item.path}: {error}")
        except PixelwiseError as error:
            faults.append(str(error))
        except MemoryError:
            faults.append(f"{item.path}: not enough memory")
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise DataError(f"{output}: cannot be written to: {error.strerror}") from None
            faults.append(f"{item.path}: results cannot be written: {error.strerror}: {error.filename}")
    return Predicted(images, georeferenced, notes.lines(), faults)


def predict_picture(predictor: Predictor, image: Picture, confidence: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Label one picture: its prediction (H, W) uint8 and, where wanted, its confidence (H, W) float32."""
    if not confidence:
        return predictor.predict(image[None])[0], None
    assert isinstance(predictor, ConfidentPredictor)
    predictions, confidences = predictor.predict_with_confidence(image[None])
    return predictions[0], confidences[0]


def predict_video(stream: Stream, source: Path, target: Path, style: Style) -> int:
    """Write NAME.overlay.mp4 and one label map per frame, NAME.label/frame_00000.png and so on; return the frames.

    The frames before a video breaks off, or before Ctrl-C, are written too.
    """
    # Imported here, since PyAV is large and pictures do not need it.
    from pixelwise.reporting.video import BreaksOffError, VideoFrame, transform_video

    every_class = np.arange(len(style.names))
    stream.reset()
    count = 0
    fault: BaseException | None = None
    with write_together(target) as folder:
        (folder / ".label").mkdir()

        def predict_frame(number: int, frame: VideoFrame) -> Picture:
            prediction = stream.step(frame.image, frame.follows)
            label = encode_label(prediction, style.palette)
            (folder / ".label" / f"frame_{number:05d}.png").write_bytes(label)
            return stream.annotate(style.explain(frame.image, prediction, every_class))

        try:
            count = transform_video(source, folder / ".overlay.mp4", predict_frame)
        except BreaksOffError as error:
            fault = DataError(f"{error}; the frames before are labelled")
        except KeyboardInterrupt as error:
            fault = error
    if fault:
        raise fault
    return count


def main(argv: list[str] | None = None) -> None:
    """Run `pixelwise predict`. The model's family is read first, since it determines the options."""
    with command.report_errors():
        command.main(run, argv=argv, params=find_options(find_family_on_command_line(argv)).PredictParams)


if __name__ == "__main__":
    main()
