"""The tables of the error page, from the content of errors.json."""

from collections.abc import Mapping
from html import escape
from typing import Any

from pixelwise.reporting import html_page
from pixelwise.reporting.evaluation import Evaluation, format_percent

Described = Mapping[str, Any]

# Slices of one kind that are shown, the worst first.
MOST_SLICES = 20
CLASSES_NOTE = (
    "Missed as: share of the class's pixels with another prediction. Taken for it: share of the pixels predicted "
    "as the class that belong to another. Where precision is below confidence, the model is too sure of the class."
)
PLACES_NOTE = "Boundary: at most 5 pixels from another class."
SIZES_NOTE = (
    "An object is a connected area of one class in the truth: small below 32² pixels, medium below 96². It is found if "
    "at least half of its pixels are right."
)


def choose_cards(described: Described) -> dict[str, str]:
    """The large figures at the top of the page."""
    places, sizes = described["places"], described["sizes"]
    cards = {
        "right pixels near boundaries (%)": format_share(places["boundary"]["pixel_accuracy"]),
        "right pixels elsewhere (%)": format_share(places["interior"]["pixel_accuracy"]),
        "small objects found (%)": format_share(sizes["small"]["found"]),
        "large objects found (%)": format_share(sizes["large"]["found"]),
    }
    if described["suspects"] is not None:
        cards["suspected label errors"] = f"{described['suspects']:,}"
    return cards


def render_classes(classes: Described, evaluation: Evaluation) -> str:
    """Render what each class is confused with."""
    rows = (
        (
            patch,
            format_percent(iu),
            format_shares(entry["missed_as"]),
            format_shares(entry["taken_for_it"]),
            format_share(entry["precision"]),
            format_share(entry["confidence"]),
        )
        for patch, iu, entry in zip(
            list_patches(evaluation), evaluation.scores.per_class, classes.values(), strict=True
        )
    )
    return html_page.render_table(
        ("class", "#IU %", "missed as", "taken for it", "#precision %", "#confidence %"), rows
    )


def render_places(places: Described) -> tuple[str, str]:
    """Render the scores near boundaries and elsewhere, and the note on them."""
    total = sum(place["pixels"] for place in places.values())
    rows = (
        (
            name,
            format_share(place["pixels"] / total),
            format_share(place["pixel_accuracy"]),
            format_share(place["mean_iu"]),
        )
        for name, place in places.items()
    )
    return html_page.render_table(("", "#pixels %", "#right %", "#mean IU %"), rows), PLACES_NOTE


def render_sizes(sizes: Described) -> tuple[str, str]:
    """Render how objects of each size are found, and the note on them."""
    rows = (
        (name, f"{size['objects']:,}", format_share(size["found"]), format_share(size["pixel_accuracy"]))
        for name, size in sizes.items()
    )
    return html_page.render_table(("", "#objects", "#found %", "#right pixels %"), rows), SIZES_NOTE


def render_slices(slices: Described) -> str:
    """Render the scores of the slices of one kind, the worst first."""
    worst = sorted(slices.items(), key=lambda entry: entry[1]["mean_iu"])[:MOST_SLICES]
    rows = (
        (
            escape(name),
            f"{each['images']:,}",
            format_share(each["pixel_accuracy"]),
            format_share(each["mean_iu"]),
            html_page.render_bar(each["mean_iu"]),
        )
        for name, each in worst
    )
    left_out = (
        f"<p>{len(slices) - MOST_SLICES:,} better ones are in errors.json.</p>" if len(slices) > MOST_SLICES else ""
    )
    return html_page.render_table(("", "#images", "#right pixels %", "#mean IU %", ""), rows) + left_out


def render_beside(beside: Described, evaluation: Evaluation) -> str:
    """Render both models' IU of each class, and the pixels of the class that were gained and lost."""
    rows = [
        (patch, *map(format_share, (*entry["iu"], entry["gained"], entry["lost"])))
        for patch, entry in zip(list_patches(evaluation), beside["classes"].values(), strict=True)
    ]
    rows.append(("mean", *map(format_share, beside["mean_iu"]), "", ""))
    return html_page.render_table(("class", "#IU %", "#IU % beside", "#pixels gained %", "#pixels lost %"), rows)


def list_patches(evaluation: Evaluation) -> list[str]:
    """The HTML of each class's name and colour."""
    return [html_page.render_patch(*entry) for entry in zip(*vars(evaluation.classes).values(), strict=True)]


def format_share(share: float | None) -> str:
    """Format a fraction as a percentage; a dash for None."""
    return "–" if share is None else format_percent(share)


def format_shares(shares: Mapping[str, float]) -> str:
    """Format names with their shares, those of a tenth of a percent or more."""
    return escape(", ".join(f"{name} {share:.1%}" for name, share in shares.items() if share >= 0.001)) or "–"
