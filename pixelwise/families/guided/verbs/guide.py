"""Guide: make a guidance file from pictures and clicks or masks; `pixelwise predict --guidance` applies it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pixelwise import command
from pixelwise.data.given import read_mask, read_picture
from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.session import GuidedModel, GuidedSession
from pixelwise.inference.session import Provider
from pixelwise.params import Params

EXPECTED = 'expected {"PICTURE": [[x, y, "CLASS"], …]}'


class GuideParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="where ONNX Runtime computes")


@dataclass(frozen=True)
class Guided:
    """The guidance file, and the counts of what it was made from."""

    output: Path
    model: Path
    pictures: int
    clicks: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        said = f"{self.clicks} clicks" if self.clicks else "masks"
        return (
            f"{self.output}: {said} on {self.pictures} pictures, classes {', '.join(self.names)}, "
            f"{self.output.stat().st_size / 1e3:.0f} kB\n"
            f"next: pixelwise predict --model {self.model} --guidance {self.output} PICTURE --output predictions"
        )


def run(
    params: GuideParams,
    inputs: Annotated[list[Path], "pictures of the support"],
    model: Annotated[Path, "folder of the exported guided model"],
    output: Annotated[Path, "guidance file to write"],
    *,
    clicks: Annotated[Path | None, 'JSON file: {"PICTURE": [[x, y, "CLASS"], …]}, background the negatives'] = None,
    masks: Annotated[Path | None, "mask PNG, or folder of PICTURE.png: 0 background, 255 unknown"] = None,
) -> Guided:
    """Write a guidance file from clicks or masks on pictures, without training.

    Raises DataError if a file cannot be read, a click is outside its picture or repeats or contradicts another, or
    nothing is annotated; ModelError if the model is not a guided one.
    """
    if (clicks is None) == (masks is None):
        raise DataError("guide: expected either --clicks FILE or --masks FILE")
    said = read_clicks(clicks) if clicks else {}
    names = [
        "background",
        *dict.fromkeys(name for found in said.values() for *_, name in found if name != "background"),
    ]
    drawn = {path: read_mask(mask_of(path, masks)) for path in inputs} if masks else {}
    for mask in drawn.values():
        highest = int(mask[mask != 255].max(initial=0))
        names += [f"class {value}" if value > 1 else "object" for value in range(len(names), highest + 1)]
    session = GuidedSession(GuidedModel(model, params.provider), tuple(names))
    if unused := sorted(set(said) - {path.name for path in inputs}):
        raise DataError(f"{clicks}: clicks on {unused[0]}, which is not among the pictures")
    for path in inputs:
        picture = session.add_picture(read_picture(path))
        try:
            for x, y, name in said.get(path.name, []):
                session.click(picture, x, y, names.index(name))
            if path in drawn:
                session.annotate(picture, drawn[path])
        except DataError as error:
            raise DataError(f"{path}: {error}") from None
    session.save(output)
    return Guided(output, model, len(inputs), sum(map(len, said.values())), session.names)


def mask_of(picture: Path, masks: Path) -> Path:
    """Return the mask file of a picture: the file of its name if `masks` is a folder, otherwise `masks`."""
    return masks / f"{picture.stem}.png" if masks.is_dir() else masks


def read_clicks(file: Path) -> dict[str, list[tuple[int, int, str]]]:
    """Return the clicks on each picture by its file name. Raises DataError if `file` is not a clicks file."""
    try:
        found: Any = json.loads(file.read_text())
        return {
            str(picture): [(require_whole(x), require_whole(y), str(name)) for x, y, name in of_picture]
            for picture, of_picture in found.items()
        }
    except OSError as error:
        raise DataError(f"{file}: {(error.strerror or 'unreadable').lower()}, {EXPECTED}") from None
    except (ValueError, TypeError, AttributeError):
        raise DataError(f"{file}: no clicks file, {EXPECTED}") from None


def require_whole(value: object) -> int:
    """Return a pixel's coordinate. Raises TypeError if it is not a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(value)
    return value


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
