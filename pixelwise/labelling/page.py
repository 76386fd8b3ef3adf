"""The page of suggested pictures: each under its predicted label, in the order of the ranking. It needs no network."""

from collections.abc import Mapping, Sequence
from html import escape

from pixelwise.inspection.contact_sheet import Tile
from pixelwise.inspection.page import STYLE, render_jpeg
from pixelwise.labelling.suggestions import Suggestion
from pixelwise.reporting.html_page import render_page, render_patch, render_section
from pixelwise.reporting.label_images import Palette

HOW = (
    "Each picture lies under the model's label. Point at a picture to see it alone. The order is by doubt times "
    "distance to the nearest picture that is labelled or stands before."
)


def render_suggestions(
    suggestions: Sequence[Suggestion], tiles: Sequence[Tile], names: Sequence[str], palette: Palette, facts: Mapping
) -> str:
    """Render the page of the first pictures, of which there are `tiles`. facts: what was ranked, by name."""
    legend = "".join(f"<span>{render_patch(name, colour)}</span>" for name, colour in zip(names, palette, strict=True))
    figures = "".join(
        render_figure(number, each, tile, names)
        for number, (each, tile) in enumerate(zip(suggestions, tiles, strict=False), start=1)
    )
    sheet = f'<p>{HOW}</p><div class="legend">{legend}</div><div class="sheet">{figures}</div>'
    lead = ", ".join(f"{value} {name}" for name, value in facts.items())
    return render_page("What to label next", lead, [STYLE, render_section("The first pictures", sheet)])


def render_figure(number: int, suggestion: Suggestion, tile: Tile, names: Sequence[str]) -> str:
    """Render one picture, the picture under its label above it, and why it stands there."""
    images = "".join(render_jpeg(content, tile.id) for content in (tile.picture, tile.masked) if content is not None)
    seen = ", ".join(names[index] for index in tile.classes)
    caption = f"{number}. {escape(tile.id)}<br><span>{escape(suggestion.describe())}; found: {escape(seen)}</span>"
    return f'<figure><span class="under" tabindex="0">{images}</span><figcaption>{caption}</figcaption></figure>'
