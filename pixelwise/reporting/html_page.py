"""A report page: one HTML file with embedded pictures; it needs no network."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
:root { --ink: #20242c; --faint: #6e7480; --line: #e3e6ec; --paper: #fff; --back: #f5f6f9; --accent: #2f6fde; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 36px 24px 64px; }
h1 { margin: 0; font-size: 28px; letter-spacing: -.01em; }
h2 { margin: 0 0 14px; font-size: 17px; }
.lead { margin: 4px 0 26px; color: var(--faint); }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 20px 22px;
  margin-top: 18px; overflow-x: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 16px 20px; }
.card:first-child { border-color: var(--accent); box-shadow: inset 0 3px 0 var(--accent); }
.card b { display: block; font-size: 30px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--faint); font-size: 13px; }
.pair { display: grid; margin-top: 18px; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; color: var(--faint); font-weight: 500; font-size: 13px; }
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
tr:last-child td { border-bottom: 0; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.patch { display: inline-block; width: 13px; height: 13px; border-radius: 3px; border: 1px solid #787e8a;
  margin-right: 9px; vertical-align: -1px; }
.bar { height: 9px; min-width: 160px; border-radius: 5px; background: var(--back); overflow: hidden; }
.bar i { display: block; height: 100%; border-radius: 5px; background: var(--accent); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 5px 22px; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.pair section { margin-top: 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(500px, 100%), 1fr)); gap: 18px 22px; }
figure { margin: 0; }
figure img { width: 100%; border-radius: 6px; }
figcaption { color: var(--faint); font-size: 13px; margin-top: 6px; overflow-wrap: anywhere; }
h3 { margin: 22px 0 8px; font-size: 15px; }
a { color: var(--accent); }
.note { color: var(--faint); font-size: 13px; margin: 10px 0 0; }
"""


def render_page(title: str, lead: str, sections: Iterable[str]) -> str:
    """Render the whole HTML page. title, lead: plain text; parts: HTML from the functions below."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>\n"
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>\n'
        + "\n".join(sections)
        + "\n</main></body></html>\n"
    )


def render_cards(values: Mapping[str, str]) -> str:
    """Render large values side by side with their names below; the first is highlighted."""
    inside = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(name)}</span></div>' for name, value in values.items()
    )
    return f'<div class="cards">{inside}</div>'


def render_section(title: str, inside: str, note: str = "") -> str:
    """Render a titled box around the HTML `inside`, with the plain text `note` below it."""
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{inside}{below}</section>"


def render_side_by_side(*sections: str) -> str:
    """Render parts next to each other if the window is wide enough."""
    return f'<div class="pair">{"".join(sections)}</div>'


def render_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Render a table of HTML cells; columns whose title begins with # hold numbers and are right-aligned."""
    classes = [' class="number"' if title.startswith("#") else "" for title in head]
    titles = "".join(f"<th{kind}>{escape(title.lstrip('#'))}</th>" for title, kind in zip(head, classes, strict=True))
    lines = (
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, classes, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def render_bar(share: float) -> str:
    """Render a bar filled to `share`, a fraction."""
    return f'<div class="bar"><i style="width:{100 * share:.1f}%"></i></div>'


def render_patch(name: str, colour: Sequence[int]) -> str:
    """Render a patch of a class's colour, followed by its name."""
    return f'<span class="patch" style="background:rgb{tuple(int(part) for part in colour)}"></span>{escape(name)}'


def render_facts(values: Mapping[str, Any]) -> str:
    """Render names and values, one pair per line."""
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(format_value(value))}</dd>" for name, value in values.items())
    return f"<dl>{''.join(lines)}</dl>"


def format_value(value: Any) -> str:
    """Format a value for display: floats with six digits, booleans as yes or no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def flatten_facts(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested mappings into one, with names joined by a space; lists and None are left out."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{prefix} {key}".strip().replace("_", " ")
        if isinstance(inner, Mapping):
            flat |= flatten_facts(inner, name)
        elif inner is not None and not isinstance(inner, list):
            flat[name] = inner
    return flat


def render_image(content: bytes, alt: str, kind: str = "png") -> str:
    """Embed an image in the page as a data URL; `kind` is its format."""
    return f'<img alt="{escape(alt)}" src="data:image/{kind};base64,{base64.b64encode(content).decode()}">'


def render_figures(figures: Iterable[tuple[bytes, str]]) -> str:
    """Render WebP pictures in a grid, each with its caption below; captions are HTML."""
    inside = "".join(
        f"<figure>{render_image(content, '', 'webp')}<figcaption>{caption}</figcaption></figure>"
        for content, caption in figures
    )
    return f'<div class="figures">{inside}</div>'


def render_link(target: str, text: str) -> str:
    """Render a link to a file beside the page."""
    return f'<a href="{escape(target)}">{escape(text)}</a>'
