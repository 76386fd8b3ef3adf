"""Watch a served model: compare what it saw and said with the accepted data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pixelwise import command
from pixelwise.errors import DataError
from pixelwise.files import write_json, write_text
from pixelwise.inference.exported_models import identify
from pixelwise.registry.evidence import WATCHED_FILE
from pixelwise.registry.references import resolve_model_folder
from pixelwise.watching.disagreement import sum_disagreement
from pixelwise.watching.drift import judge
from pixelwise.watching.page import render_watch_page
from pixelwise.watching.params import WatchParams
from pixelwise.watching.reference import read_or_make_reference
from pixelwise.watching.rows import Compared, Seen, read_rows
from pixelwise.watching.watched import Watched

PREPARED, OUT = Path("data/prepared"), Path("reports/watch")
PAGE_FILE, REFERENCE_FILE = "page.html", "reference.json"


def run(
    params: WatchParams,
    files: Annotated[list[Path], "files of `pixelwise serve --statistics`, one of each server"],
    model: Annotated[Path, "the model that was served: models:/NAME@ALIAS, or its folder"],
    data: Annotated[Path, "folder of the accepted prepared data"] = PREPARED,
    out: Annotated[Path, "folder for watch.json, page.html and reference.json"] = OUT,
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> Watched:
    """Compare the newest requests to a model with the accepted pictures, which the model answers once for that.

    Status 1 where a statistic drifted: brightness, contrast, size, confidence, the class shares, or a class that is
    absent. The drift limits are those of section validate, where chance needs no larger ones. Raises DataError where
    no request to the model is in the files.
    """
    folder = resolve_model_folder(model, tracking)
    sha256 = identify(folder)
    rows = [row for row in read_rows(files) if row.model == sha256]
    seen = [row for row in rows if isinstance(row, Seen)]
    newest = seen[-params.requests :]
    if not newest:
        raise DataError(f"{files[0]}: no request to {model} (sha256 {sha256[:12]}), expected some to compare")
    reference = read_or_make_reference(folder, data, out / REFERENCE_FILE)
    watched = Watched(
        model=str(model),
        sha256=sha256,
        requests=len(newest),
        first=newest[0].at,
        last=newest[-1].at,
        accepted=len(reference.rows),
        scenes=len(set(reference.scenes)),
        judged=judge(reference, newest, params),
        disagreement=sum_disagreement([row for row in rows if isinstance(row, Compared)], reference.classes),
        page=out / PAGE_FILE,
    )
    write_json(out / WATCHED_FILE, watched.as_json())
    write_text(watched.page, render_watch_page(watched, reference, seen))
    return watched


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise watch` from the command line."""
    command.main(run, "validate", argv)


if __name__ == "__main__":
    main()
