"""The files of an evaluation: tables for DVC's plots, pictures, per-image counts and one report page."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.image_codec import encode_picture
from pixelwise.files import write_bytes, write_json, write_text
from pixelwise.metrics.confusion import Counts
from pixelwise.metrics.measurement import MEASUREMENTS, write_measurements
from pixelwise.reporting import html_page, plots
from pixelwise.reporting.csv_text import format_csv
from pixelwise.reporting.evaluation import Evaluation, format_percent
from pixelwise.reporting.prediction_grid import GridRow, draw_grid

History = Sequence[Mapping[str, float]]

ROWS_A_CLASS = 1000
# Beyond this many classes a confusion matrix on half the page cannot be read.
MOST_BESIDE = 14
CALIBRATION_NOTE = (
    "ECE: the mean difference between confidence and the share of right pixels, in bins of confidence. "
    "The temperature was fitted on the validation split; for an honest figure evaluate with --split test."
)


def write_results(
    out: Path,
    evaluation: Evaluation,
    rows: Sequence[GridRow],
    history: History,
    origins: Mapping[str, Mapping[str, Any]],
    links: Mapping[str, str],
) -> list[Path]:
    """Write all files of the evaluation under `out`; return the paths of the metrics, the pictures and the page.

    rows: the images of the grid. history: one mapping for each training epoch, may be empty. origins: section title ->
    facts for the page, as nested mappings. links: file name of a page in `out` -> what it shows.
    """
    names, palette, total = evaluation.classes.names, evaluation.classes.palette, evaluation.counts.sum(axis=0)
    write_json(out / "metrics.json", evaluation.metrics())
    write_text(out / "confusion.csv", format_csv(("actual", "predicted"), list_confusion_rows(total, names)))
    write_text(
        out / "per_class.csv", format_csv(("class", "iu", "accuracy", "truth_share"), list_class_rows(evaluation))
    )
    write_measurements(out / MEASUREMENTS, [evaluation.measurement])
    grid = draw_grid(rows, names, palette)
    pictures = {
        "confusion.png": plots.plot_confusion(total, names),
        "per_class.png": plots.plot_per_class(evaluation.scores.per_class, evaluation.scores.mean_iu, names, palette),
        "grid.png": encode_picture(grid, "PNG", optimize=True),
    }
    if evaluation.reliability is not None:
        pictures["reliability.png"] = plots.plot_reliability(evaluation.reliability)
    if history:
        keys = list(dict.fromkeys(key for row in history for key in row))
        write_text(out / "curves.csv", format_csv(keys, ([row.get(key) for key in keys] for row in history)))
        pictures["curves.png"] = plots.plot_curves(history)
    for name, content in pictures.items():
        write_bytes(out / name, content)
    # The page embeds the grid as WebP, a sixth of the PNG's bytes. Exact pixel values are not needed on the page.
    page_pictures = pictures | {"grid.png": encode_picture(grid, "WEBP", quality=88)}
    write_text(out / "report.html", render_report(evaluation, page_pictures, origins, links))
    return [out / name for name in ("metrics.json", *pictures, "report.html")]


def render_report(
    evaluation: Evaluation,
    pictures: Mapping[str, bytes],
    origins: Mapping[str, Mapping[str, Any]],
    links: Mapping[str, str],
) -> str:
    """Render the HTML page. pictures: by file name, the grid as WebP. origins, links: as for `write_results`."""
    sections = [
        html_page.render_cards(
            {f"{name} (%)": format_percent(score) for name, score in evaluation.list_named_scores().items()}
        )
    ]
    sections += [html_page.render_section(shows, html_page.render_link(file, file)) for file, shows in links.items()]
    sections.append(
        html_page.render_section("Pictures", html_page.render_image(pictures["grid.png"], "picture grid", "webp"))
    )
    tables = (
        html_page.render_section(
            "Classes", render_class_table(evaluation), note="Shares of the labelled pixels; void counts nowhere."
        ),
        html_page.render_section("Confusion", html_page.render_image(pictures["confusion.png"], "confusion matrix")),
    )
    sections += [html_page.render_side_by_side(*tables)] if len(evaluation.classes) <= MOST_BESIDE else tables
    if "reliability.png" in pictures:
        plot = html_page.render_image(pictures["reliability.png"], "reliability diagram")
        sections.append(html_page.render_section("Calibration", plot, note=CALIBRATION_NOTE))
    if "curves.png" in pictures:
        sections.append(
            html_page.render_section("Training", html_page.render_image(pictures["curves.png"], "training curves"))
        )
    boxes = [
        html_page.render_section(title, html_page.render_facts(html_page.flatten_facts(values)))
        for title, values in origins.items()
        if values
    ]
    sections.append(html_page.render_side_by_side(*boxes))
    size = f"{evaluation.dataset} · split {evaluation.split} · {len(evaluation.ids)} images"
    lead = f"{size} · {evaluation.seconds:.1f} s on {evaluation.provider}"
    return html_page.render_page("Evaluation", lead, sections)


def render_class_table(evaluation: Evaluation) -> str:
    """Render the class table: colour, share, accuracy and IU of each class."""
    rows = (
        (
            html_page.render_patch(name, colour),
            format_percent(share),
            format_percent(accuracy),
            format_percent(iu),
            html_page.render_bar(np.nan_to_num(iu)),
        )
        for (name, iu, accuracy, share), colour in zip(
            list_class_rows(evaluation), evaluation.classes.palette, strict=True
        )
    )
    return html_page.render_table(("class", "#share %", "#accuracy %", "#IU %", ""), rows)


def list_class_rows(evaluation: Evaluation) -> list[tuple[str, float, float, float]]:
    """(name, IU, accuracy, share of the labelled pixels) of each class; IU and accuracy are nan for an absent class."""
    total = evaluation.counts.sum(axis=0)
    truth = total.sum(axis=1)
    accuracy = np.divide(np.diag(total), truth, out=np.full(len(total), np.nan), where=truth > 0)
    share = truth / truth.sum()
    return list(
        zip(evaluation.classes.names, evaluation.scores.per_class, accuracy.tolist(), share.tolist(), strict=True)
    )


def list_confusion_rows(counts: Counts, names: Sequence[str]) -> Iterable[tuple[str, str]]:
    """(actual, predicted) pairs, about 1000 for each actual class, in the proportions of the (K, K) counts.

    DVC's confusion plots count rows. One row per pixel would be millions of rows; 1000 rows show tenths of a percent.
    """
    for actual, row in zip(names, counts, strict=True):
        for predicted, share in zip(names, row / max(row.sum(), 1), strict=True):
            yield from [(actual, predicted)] * round(ROWS_A_CLASS * share)
