"""The page of an inspection: pictures under their masks first, then what else is known. It needs no network."""

import base64
from collections.abc import Sequence
from html import escape

from pixelwise.inspection.contact_sheet import Tile
from pixelwise.inspection.survey import Survey
from pixelwise.inspection.words import SEVERITY, count_labelled, list_facts, list_shares
from pixelwise.reporting.html_page import (
    render_bar,
    render_cards,
    render_facts,
    render_page,
    render_patch,
    render_section,
    render_table,
)

MOST_FILES = 200
STYLE = """<style>
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 16px 14px; }
.sheet figure { margin: 0; }
.sheet .under { position: relative; display: block; background: #dfe3ea; border-radius: 6px; overflow: hidden; }
.sheet img { width: 100%; display: block; }
.sheet img + img { position: absolute; inset: 0; transition: opacity .15s; }
.sheet .under:hover img + img, .sheet .under:focus img + img { opacity: 0; }
.sheet figcaption { font-size: 12.5px; line-height: 1.35; margin-top: 5px; overflow-wrap: anywhere; }
.sheet figcaption span { color: var(--faint); }
.sheet .fault .under { box-shadow: 0 0 0 3px #c62f3b; }
.sheet .fault figcaption b { color: #c62f3b; font-weight: 600; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 16px; font-size: 14px; }
.error td:first-child { color: #c62f3b; } .warning td:first-child { color: #b7791f; }
</style>"""
HOW = (
    "Each picture lies under its mask. Point at a picture to see it alone. Colours and light lines should follow the "
    "objects. If they are mirrored, shifted or belong to another picture, the masks do not fit."
)


def render_inspection_page(survey: Survey) -> str:
    """Render the HTML page of a survey."""
    parts = [
        STYLE,
        render_overview(survey),
        render_suspicious(survey),
        render_sheet(survey),
        *([render_classes(survey)] if survey.is_labelled else []),
        render_section("What it is", render_facts(list_facts(survey))),
        *render_unusable(survey),
    ]
    title = "Do masks and pictures fit?" if survey.is_labelled else "Pictures without masks"
    return render_page(title, f"{survey.path}: {survey.source.format}", parts)


def render_overview(survey: Survey) -> str:
    """Render cards of the main counts."""
    summary = survey.summary
    return render_cards(
        {
            "pictures": f"{survey.source.total:,}",
            "looked at": f"{len(summary.manifest):,}",
            "with a mask": f"{count_labelled(survey):,}",
            "classes": str(len(summary.classes)),
            "unusable files": f"{len(summary.quarantine):,}",
        }
    )


def render_suspicious(survey: Survey) -> str:
    """Render everything suspicious, errors first."""
    rows = [[SEVERITY["error"], "the data set can be read", escape(fault)] for fault in survey.source.faults]
    rows += [[SEVERITY[finding.severity], escape(finding.name), escape(finding.found)] for finding in survey.suspicious]
    inside = render_table(["", "check", "found"], rows) if rows else f"<p>Nothing in {len(survey.findings)} checks.</p>"
    return render_section("Suspicious", inside)


def render_sheet(survey: Survey) -> str:
    """Render the contact sheet with its legend."""
    classes = survey.summary.classes
    patches = [render_patch(name, colour) for name, colour in zip(classes.names, classes.palette, strict=True)]
    legend = "".join(f"<span>{patch}</span>" for patch in patches)
    tiles = "".join(render_tile(tile, classes.names) for tile in survey.tiles)
    inside = f'<div class="legend">{legend}</div><div class="sheet">{tiles}</div>'
    shown = f"{len(survey.tiles)} of {survey.source.total:,} pictures; those with a fault come first."
    if not survey.is_labelled:
        return render_section("Pictures", inside, note=shown)
    return render_section("Pictures under their masks", f"<p>{HOW}</p>{inside}", note=shown)


def render_tile(tile: Tile, names: Sequence[str]) -> str:
    """Render one tile: the picture, the picture under its mask above it, and a caption."""
    images = "".join(render_jpeg(content, tile.id) for content in (tile.picture, tile.masked) if content is not None)
    faults = "".join(f"<b>fails: {escape(fault)}</b>" for fault in tile.faults)
    seen = ", ".join(names[index] for index in tile.classes) or "no class"
    about = f"{tile.split}, {tile.size}" + (f": {seen}" if names else "")
    kind = ' class="fault"' if faults else ""
    caption = f"{faults}{escape(tile.id)}<br><span>{escape(about)}</span>"
    return f'<figure{kind}><span class="under" tabindex="0">{images}</span><figcaption>{caption}</figcaption></figure>'


def render_jpeg(content: bytes, alt: str) -> str:
    """Embed a JPEG, decoded only when it is scrolled into view."""
    data = base64.b64encode(content).decode()
    return f'<img loading="lazy" alt="{escape(alt)}" src="data:image/jpeg;base64,{data}">'


def render_classes(survey: Survey) -> str:
    """Render a table with one line per class: colour, share of the labelled pixels and pictures."""
    rows = [
        [render_patch(name, colour), f"rgb{tuple(colour)}", f"{share:.2%}", render_bar(share), f"{pictures:,}"]
        for name, colour, share, pictures in list_shares(survey)
    ]
    return render_section("Classes", render_table(["class", "colour", "#share of pixels", "", "#pictures"], rows))


def render_unusable(survey: Survey) -> list[str]:
    """Render the unusable files with their reasons; an empty list if there are none."""
    files = survey.summary.quarantine.to_dict("records")
    rows = [[escape(str(row[name] or row["id"])) for name in ("file", "split", "reason")] for row in files[:MOST_FILES]]
    note = f"The first {MOST_FILES} of {len(files):,}." if len(files) > MOST_FILES else ""
    return [render_section("Unusable files", render_table(["file", "split", "reason"], rows), note)] if rows else []
