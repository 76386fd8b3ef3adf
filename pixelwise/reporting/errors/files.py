"""The files of an error analysis: the page, its figures, and the list of suspected label errors."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pixelwise.files import write_json, write_text
from pixelwise.metrics.suspects import Suspect
from pixelwise.reporting.csv_text import format_csv
from pixelwise.reporting.errors.analysis import ErrorAnalysis
from pixelwise.reporting.errors.figures import describe_errors
from pixelwise.reporting.errors.page import render_errors
from pixelwise.reporting.evaluation import Evaluation

ERRORS_PAGE = "errors.html"
COLUMNS = ("path", "left", "top", "width", "height", "label", "prediction", "pixels", "confidence", "score")


def write_errors(out: Path, evaluation: Evaluation, analysis: ErrorAnalysis) -> list[Path]:
    """Write errors.json, errors.html and, where there are suspects, suspects.csv and .json; return their paths."""
    names = evaluation.classes.names
    described = describe_errors(analysis, names)
    write_json(out / "errors.json", described)
    write_text(out / ERRORS_PAGE, render_errors(evaluation, analysis, described))
    files = [out / "errors.json", out / ERRORS_PAGE]
    if analysis.suspects is not None:
        rows = list_rows(analysis.suspects, evaluation)
        write_text(out / "suspects.csv", format_csv(COLUMNS, rows))
        write_json(out / "suspects.json", make_coco(analysis.suspects, analysis.shapes, evaluation))
        files += [out / "suspects.csv", out / "suspects.json"]
    return files


def list_rows(suspects: Sequence[Suspect], evaluation: Evaluation) -> Iterator[Sequence[Any]]:
    """List the lines of suspects.csv."""
    names = evaluation.classes.names
    for score, region in suspects:
        box = (region.left, region.top, region.width, region.height)
        classes = (names[region.label], names[region.prediction])
        yield (
            evaluation.ids[region.place],
            *box,
            *classes,
            region.pixels,
            round(region.confidence, 4),
            round(score, 2),
        )


def make_coco(suspects: Sequence[Suspect], shapes: Sequence[tuple[int, int]], evaluation: Evaluation) -> dict[str, Any]:
    """Make a COCO data set of the suspects: boxes of the predicted class, with the doubted label as an attribute."""
    names, places = evaluation.classes.names, sorted({region.place for _, region in suspects})
    images = [
        {"id": place + 1, "file_name": evaluation.ids[place], "height": shapes[place][0], "width": shapes[place][1]}
        for place in places
    ]
    annotations = [
        {
            "id": number,
            "image_id": region.place + 1,
            "category_id": region.prediction + 1,
            "bbox": [region.left, region.top, region.width, region.height],
            "area": region.pixels,
            "segmentation": [],
            "iscrowd": 0,
            "score": score,
            "attributes": {"label": names[region.label], "confidence": region.confidence},
        }
        for number, (score, region) in enumerate(suspects, start=1)
    ]
    categories = [{"id": index + 1, "name": name, "supercategory": ""} for index, name in enumerate(names)]
    return {"images": images, "annotations": annotations, "categories": categories}
