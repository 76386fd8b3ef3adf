"""The error page: where a model is wrong, and which labels may be wrong. One HTML file that needs no network."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pixelwise.data.image_codec import encode_picture
from pixelwise.reporting import html_page
from pixelwise.reporting.errors import page_tables
from pixelwise.reporting.errors.analysis import ErrorAnalysis
from pixelwise.reporting.errors.crops import Crop, draw_crop
from pixelwise.reporting.evaluation import Evaluation, format_percent

PANELS = "Picture, truth and prediction. One region of each clip, or single picture, and pair of classes."
SUSPECTS_NOTE = (
    "Regions where the model is confident of another class than the label, the most suspicious first. Some are errors "
    "of the model: look at a region before you change its label."
)


def render_errors(evaluation: Evaluation, analysis: ErrorAnalysis, described: Mapping[str, Any]) -> str:
    """Render the page. described: the content of errors.json."""
    lead = f"{evaluation.dataset} · split {evaluation.split} · {len(evaluation.ids)} images · {evaluation.model}"
    sections = [
        html_page.render_cards(page_tables.choose_cards(described)),
        html_page.render_section(
            "Classes", page_tables.render_classes(described["classes"], evaluation), page_tables.CLASSES_NOTE
        ),
        *render_beside(evaluation, analysis, described["beside"]),
        html_page.render_section("Worst pictures", render_crops(analysis.pictures, evaluation), "The lowest mean IU."),
        html_page.render_section("Worst regions", render_crops(analysis.regions, evaluation), PANELS),
        *render_suspects(evaluation, analysis),
        html_page.render_section("Examples of each class", "".join(render_examples(evaluation, analysis)), PANELS),
        html_page.render_side_by_side(
            html_page.render_section("Boundary and interior", *page_tables.render_places(described["places"])),
            html_page.render_section("Size of the objects", *page_tables.render_sizes(described["sizes"])),
        ),
        *(
            html_page.render_section(f"By {by}", page_tables.render_slices(slices))
            for by, slices in described["slices"].items()
        ),
        html_page.render_section("Scores and calibration", html_page.render_link("report.html", "report.html")),
    ]
    return html_page.render_page("Errors", lead, sections)


def render_suspects(evaluation: Evaluation, analysis: ErrorAnalysis) -> Iterator[str]:
    """Render the first suspected label errors, and links to the lists of all; nothing without confidence."""
    if analysis.suspects is None:
        return
    links = " and ".join(html_page.render_link(name, name) for name in ("suspects.csv", "suspects.json"))
    lead = f"<p>{len(analysis.suspects):,} regions in {links} (COCO, for a labelling tool).</p>"
    yield html_page.render_section(
        "Suspected label errors", lead + render_crops(analysis.shown, evaluation), SUSPECTS_NOTE
    )


def render_examples(evaluation: Evaluation, analysis: ErrorAnalysis) -> Iterator[str]:
    """Render the largest errors on the pixels of each class."""
    for index, (name, colour) in enumerate(zip(evaluation.classes.names, evaluation.classes.palette, strict=True)):
        if crops := analysis.examples.get(index):
            yield f"<h3>{html_page.render_patch(name, colour)}</h3>{render_crops(crops, evaluation)}"


def render_beside(
    evaluation: Evaluation, analysis: ErrorAnalysis, described: Mapping[str, Any] | None
) -> Iterator[str]:
    """Render what the model gained and lost against another one; nothing without one."""
    if analysis.beside is None or described is None:
        return
    table = page_tables.render_beside(described, evaluation)
    gains, losses = (render_crops(crops, evaluation) for crops in (analysis.beside.gains, analysis.beside.losses))
    yield html_page.render_section(
        f"Beside {analysis.beside.name}",
        f"{table}<h3>Gained: right here, wrong there</h3>{gains}<h3>Lost: wrong here, right there</h3>{losses}",
        "Picture, truth, prediction of this model, and prediction of the model beside it.",
    )


def render_crops(crops: Sequence[Crop], evaluation: Evaluation) -> str:
    """Render crops with their captions; a line where there is none."""
    if not crops:
        return "<p>None.</p>"
    names, palette = evaluation.classes.names, evaluation.classes.palette
    # The method is the effort of the encoder: 2 takes half the time of its default and a few more bytes.
    return html_page.render_figures(
        (encode_picture(draw_crop(crop, palette), "WEBP", quality=80, method=2), escape(describe_crop(crop, names)))
        for crop in crops
    )


def describe_crop(crop: Crop, names: Sequence[str]) -> str:
    """The caption of a crop: its picture, and its classes or its mean IU."""
    if crop.region is None:
        return f"{crop.id} · mean IU {format_percent(crop.mean_iu)} %"
    region = crop.region
    classes = f"{names[region.label]}, predicted as {names[region.prediction]}"
    return f"{crop.id} · {classes} · {region.pixels:,} pixels, confidence {region.confidence:.0%}"
