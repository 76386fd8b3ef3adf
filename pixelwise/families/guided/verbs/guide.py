"""Guide: make a guidance file from pictures and clicks or masks; `pixelwise predict --guidance` applies it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pixelwise import command
from pixelwise.data.drawn_masks import read_masks
from pixelwise.data.given import read_picture
from pixelwise.data.notes import Notes
from pixelwise.data.path_names import match_files, match_names
from pixelwise.data.walk import walk
from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.named_clicks import (
    EXPECTED,
    NamedClick,
    annotate,
    name_classes,
    parse_clicks,
)
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.inference.session import Provider
from pixelwise.params import Params
from pixelwise.registry.references import resolve_model_folder


class GuideParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="ONNX Runtime on cpu or cuda (auto: cuda if any), or openvino")


@dataclass(frozen=True)
class Guided:
    """The guidance file, the counts of what it was made from, and how the masks were taken."""

    output: Path
    model: Path
    pictures: int
    clicks: int
    names: tuple[str, ...]
    notes: list[str]

    def __str__(self) -> str:
        annotations = f"{self.clicks} clicks" if self.clicks else "masks"
        return "".join(f"{note}\n" for note in self.notes) + (
            f"{self.output}: {annotations} on {self.pictures} pictures, classes {', '.join(self.names)}, "
            f"{self.output.stat().st_size / 1e3:.0f} kB\n"
            f"next: pixelwise predict --model {self.model} --guidance {self.output} PICTURE --output predictions"
        )


def run(
    params: GuideParams,
    inputs: Annotated[list[Path], "pictures of the support"],
    model: Annotated[Path, "folder of the exported guided model, or models:/NAME@ALIAS"],
    output: Annotated[Path, "guidance file to write"],
    *,
    clicks: Annotated[
        Path | None, 'JSON file: {"PICTURE": [[x, y, "CLASS"], …]}, class background for negative clicks'
    ] = None,
    masks: Annotated[Path | None, "mask of one picture, or folder of PICTURE.png: 0 background, 255 unknown"] = None,
) -> Guided:
    """Write a guidance file from clicks or masks on pictures, without training.

    A picture is called by its path, or by as much of its end as tells it from the others: `0000.png`, or
    `camera0/0000.png`. Its mask has the same path below the folder of masks. Masks may be one object white on black.

    Raises DataError if a file cannot be read, a click is outside its picture or repeats or contradicts another, or
    nothing but background is annotated; ModelError if the model is not a guided one.
    """
    if (clicks is None) == (masks is None):
        raise DataError("guide: expected either --clicks FILE or --masks FILE")
    inputs, notes = list(dict.fromkeys(inputs)), Notes()
    clicked = read_clicks(clicks, inputs) if clicks else {}
    drawn = read_masks(find_masks(inputs, masks), notes) if masks else {}
    names = name_classes(clicked, drawn)
    if len(names) == 1:
        raise DataError(f"{clicks or masks}: found {names[0]} alone, expected an object on at least one picture")
    session = GuidedSession(GuidedModel(resolve_model_folder(model), params.provider), names)
    for path in inputs:
        picture = session.add_picture(read_picture(path, notes))
        try:
            annotate(session, picture, clicked.get(path, []), drawn.get(path))
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    session.save(output)
    return Guided(output, model, len(inputs), sum(map(len, clicked.values())), session.names, notes.lines())


def find_masks(pictures: Sequence[Path], masks: Path) -> dict[Path, Path]:
    """Find the mask of each picture: the file `masks`, or in the folder `masks` the file of the picture's path.

    Raises DataError if a picture has none or two, or if several pictures have one.
    """
    if masks.is_dir():
        return match_files(pictures, masks, walk(masks, ("picture",)).files)
    if len(pictures) > 1:
        raise DataError(f"{masks}: one mask for {pictures[0]} and {pictures[1]}, expected a folder of masks")
    return {pictures[0]: masks}


def read_clicks(file: Path, pictures: Sequence[Path]) -> dict[Path, list[NamedClick]]:
    """Return the clicks on each picture.

    Raises DataError if `file` is no clicks file, or has a name that means none of the pictures or several.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {(error.strerror or 'unreadable').lower()}, {EXPECTED}") from None
    clicks = parse_clicks(content, str(file))
    return {picture: clicks[name] for name, picture in match_names(clicks, pictures, f"{file}: clicks").items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
