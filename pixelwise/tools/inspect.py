"""Look at data before anything is done with it: a page of pictures under their masks, and everything suspicious."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from pixelwise import command
from pixelwise.data.decoding import MAX_PIXELS
from pixelwise.errors import ParamsError
from pixelwise.files import write_text
from pixelwise.inspection.page import render_inspection_page
from pixelwise.inspection.source import PICTURES, PREPARED, open_source
from pixelwise.inspection.survey import Survey, survey
from pixelwise.inspection.words import summarise
from pixelwise.validation.limits import Limits

PAGE = Path("reports/inspect.html")


@dataclass(frozen=True)
class InspectReport:
    """What was seen, and the page that shows it."""

    survey: Survey
    page: Path

    def __str__(self) -> str:
        """Format the summary, the page and the next command."""
        path = self.survey.path
        following = {PREPARED: "dvc repro", PICTURES: f"pixelwise predict --model models/fcn {path}"}
        next_command = following.get(self.survey.source.format, f"pixelwise init {path}")
        return f"{summarise(self.survey)}\npage: {self.page}\nnext: {next_command}"


def run(
    path: Annotated[Sequence[Path], "folder, archive or video; a labelled data set, plain pictures or prepared data"],
    page: Annotated[Path, "the HTML page to write"] = PAGE,
    most: Annotated[int, "pictures of each split to look at, evenly spread; 0: all"] = 500,
) -> InspectReport:
    """Say what the data at PATH is and why, what is suspicious, and write a page of pictures under their masks.

    The checks are those of `pixelwise validate`, with its default limits. A fault of the data is a line of the summary;
    the command fails only where no picture can be read. Raises DataError then.
    """
    if len(path) != 1 or most < 0:
        raise ParamsError(f"inspect: found {len(path)} paths and --most {most}, expected one path and a number from 0")
    (root,) = path
    with TemporaryDirectory(prefix="pixelwise-inspect-") as work:
        source = open_source(root, Path(work), most or 2**62, MAX_PIXELS)
        seen = survey(root, source, Limits())
    write_text(page, render_inspection_page(seen))
    return InspectReport(seen, page)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise inspect` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
