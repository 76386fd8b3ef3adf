"""Suggest which unlabelled pictures to label next, and write the model's labels of them to start from."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from pixelwise import command
from pixelwise.data.given import read_picture
from pixelwise.data.inputs import Input, find_inputs
from pixelwise.data.writers import WRITERS
from pixelwise.errors import DataError, ModelError, ParamsError, PixelwiseError
from pixelwise.evaluation.engine_choice import choose_provider
from pixelwise.families import find_options, find_runtime
from pixelwise.families.exported import find_family, find_family_on_command_line
from pixelwise.families.hooks import Predictor
from pixelwise.files import write_text
from pixelwise.inspection.contact_sheet import Tile, draw_tile
from pixelwise.labelling.doubt import Doubt, measure_doubt
from pixelwise.labelling.labelled import Labelled, read_labelled
from pixelwise.labelling.looks import Looks, measure_looks
from pixelwise.labelling.page import render_suggestions
from pixelwise.labelling.ranking import rank_pictures
from pixelwise.labelling.suggestions import TABLE, Suggestion, write_list, write_table
from pixelwise.progress import progress
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.prediction_files import Style, write_picture

PAGE = "suggestions.html"
PREPARED = Path("data/prepared")


@dataclass(frozen=True)
class Report:
    """What was ranked and written. faults: a line about each picture that could not be used."""

    output: Path
    ranked: int
    written: int
    annotations: Path | None
    notes: Sequence[str]
    faults: Sequence[str]

    def __str__(self) -> str:
        imported = f"annotations to import: {self.annotations}\n" if self.annotations else ""
        return "".join(f"{line}\n" for line in self.notes) + (
            f"{self.ranked} pictures ranked: {self.output / TABLE}\n"
            f"the first {self.written}, with the model's labels: {self.output / PAGE}\n"
            f"{imported}next: pixelwise studio --correct {self.output} --output corrected"
        )

    @property
    def failure(self) -> str | None:
        """The reason why the command fails although its results are complete; None where it does not."""
        count = f"{len(self.faults)} of {self.ranked + len(self.faults)} pictures"
        return f"{count} could not be used, see above; the others are ranked" if self.faults else None


@dataclass(frozen=True)
class Measured:
    """A picture that was looked at: the doubts about its label, and its looks."""

    picture: Input
    doubt: Doubt
    looks: Looks


def run(
    params: Any,
    folder: Annotated[list[Path], "folder of unlabelled pictures; also several, or pictures"],
    model: Annotated[Path, "folder of the exported model, its .onnx file, or models:/NAME@ALIAS"],
    output: Annotated[Path, "folder to write to"] = Path("suggestions"),
    data: Annotated[Path | None, "prepared data that is labelled (default: data/prepared if it exists)"] = None,
    count: Annotated[int, "pictures to write labels of, and to show on the page"] = 50,
) -> Report:
    """Rank unlabelled pictures by what the model does not know, the most useful to label first.

    A picture comes early if the model doubts its label (low confidence; other labels of the mirrored picture and of the
    picture at other sizes) and if it looks unlike all pictures that are labelled or ranked before, so that the first
    ones are not one scene. Pictures that are in the labelled data already are left out.

    OUTPUT gets ranking.csv with a row of every picture, the page suggestions.html, and NAME.label.png and
    NAME.overlay.png of the first pictures. `pixelwise studio --correct OUTPUT` corrects these labels; --format writes
    them for a labelling tool: cvat, label_studio, labelme, coco or yolo.

    A picture that cannot be read is named and left out; the others are ranked, and the command ends with an error.
    Raises DataError where no picture is left, ModelError where the model needs inputs beside the image.
    """
    if count < 1:
        raise ParamsError(f"suggest: found --count {count}, expected 1 or more")
    predictor = open_predictor(params, model)
    given = find_inputs(folder, output)
    pictures = [each for each in given.found if not each.is_video]
    labelled = find_labelled(data, predictor.names)
    measured, faults = measure_all(predictor, pictures, labelled)
    if not measured:
        raise DataError(f"{folder[0]}: {(faults or ['no picture that is not labelled'])[0]}, expected some to rank")
    ranked = rank_pictures([each.doubt for each in measured], [each.looks for each in measured], labelled.looks)
    suggestions = [Suggestion(measured[r.place].picture, measured[r.place].doubt, r) for r in ranked]
    write_table(output / TABLE, suggestions)
    annotations = write_first(predictor, suggestions[:count], output, params, len(suggestions))
    left_out = len(pictures) - len(measured) - len(faults)
    notes = [
        *([given.passed_over] if given.passed_over else []),
        *([f"{left_out} pictures left out, which are labelled already"] if left_out else []),
        *([f"{len(given.found) - len(pictures)} videos left out"] if len(given.found) > len(pictures) else []),
        *([] if labelled.looks else ["no labelled data: the distance to what is labelled does not count"]),
    ]
    for fault in faults:
        print(f"skipped: {fault}", file=sys.stderr)
    return Report(output, len(suggestions), min(count, len(suggestions)), annotations, notes, faults)


def open_predictor(params: Any, model: Path) -> Predictor:
    """Open `model` as its family does. Raises ModelError where it needs inputs beside the image."""
    folder = resolve_model_folder(model)
    options = params.model_dump(exclude={"alpha", "format", "provider"})
    provider = choose_provider(folder, params.provider)
    predictor = find_runtime(find_family(folder)).open_model(folder, provider, **options)
    if predictor.inputs != ("image",):
        raise ModelError(f"{model}: takes {' and '.join(predictor.inputs)}, expected image alone")
    return predictor


def find_labelled(data: Path | None, names: Sequence[str]) -> Labelled:
    """Look at the labelled pictures of `data`; without it at PREPARED, if that has the classes `names`.

    Raises DataError where `data` cannot be used.
    """
    if data is not None:
        return read_labelled(data, names)
    try:
        return read_labelled(PREPARED, names) if PREPARED.is_dir() else Labelled()
    except DataError as error:
        print(f"not compared with: {error}", file=sys.stderr)
        return Labelled()


def measure_all(
    predictor: Predictor, pictures: Sequence[Input], labelled: Labelled
) -> tuple[list[Measured], list[str]]:
    """Measure every picture that is not labelled; a picture that cannot be used is a fault."""
    measured, faults = [], []
    for picture in progress(pictures, "look at pictures"):
        try:
            image = read_picture(picture.path)
            if not labelled.holds(image):
                label, doubt = measure_doubt(predictor, image)
                measured.append(Measured(picture, doubt, measure_looks(image, label, len(predictor.names))))
        except ModelError as error:
            faults.append(f"{picture.path}: {error}")
        except PixelwiseError as error:
            faults.append(str(error))
    return measured, faults


def write_first(
    predictor: Predictor, first: Sequence[Suggestion], output: Path, params: Any, ranked: int
) -> Path | None:
    """Write the labels of the `first` of `ranked` pictures, the studio's list and the page; return what to import."""
    writer = WRITERS[params.format](output, predictor.names) if params.format else None
    style = Style(predictor.names, predictor.palette, params.alpha)
    tiles = []
    for each in progress(first, "write labels"):
        # Labelled once more, since the labels of all pictures would fill the memory.
        picture, image = each.picture, read_picture(each.picture.path)
        label = predictor.predict(image[None])[0]
        write_picture(style, picture.path, image, label, None, output / picture.name)
        tiles.append(draw(picture, image, label, predictor))
        if writer:
            writer.add(picture.name, picture.path, label)
    write_list(output, first, predictor.names, predictor.palette)
    facts = {"pictures ranked": ranked, "shown": len(first)}
    write_text(output / PAGE, render_suggestions(first, tiles, predictor.names, predictor.palette, facts))
    return writer.finish() if writer else None


def draw(picture: Input, image: np.ndarray, label: np.ndarray, predictor: Predictor) -> Tile:
    """Draw a picture (H, W, 3) and its label (H, W) for the page."""
    height, width = label.shape
    classes = np.flatnonzero(np.bincount(label.ravel(), minlength=len(predictor.names))[: len(predictor.names)])
    row = {"id": picture.name.as_posix(), "split": "", "width": width, "height": height, "classes": classes.tolist()}
    return draw_tile(row, image, label, predictor.palette)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise suggest`. The model's family is read first, since it determines the options."""
    with command.report_errors():
        command.main(run, argv=argv, params=find_options(find_family_on_command_line(argv)).PredictParams)


if __name__ == "__main__":
    main()
