"""A card: a document of named facts in sections, as Markdown and as a page that needs no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from pixelwise.files import write_text
from pixelwise.reporting.html_page import render_facts, render_page, render_section


@dataclass(frozen=True)
class Card:
    """The title, one sentence, and by section the facts or a paragraph."""

    title: str
    lead: str
    sections: Mapping[str, Mapping[str, str] | str]


def write_card(card: Card, folder: Path, stem: str) -> list[Path]:
    """Write `stem`.md and `stem`.html to a folder; returns both."""
    markdown, page = folder / f"{stem}.md", folder / f"{stem}.html"
    write_text(markdown, render_markdown(card))
    write_text(page, render_card(card))
    return [markdown, page]


def render_markdown(card: Card) -> str:
    """Render a card as Markdown: a list for each section of facts."""
    parts = [f"# {card.title}", card.lead]
    for title, content in card.sections.items():
        lines = [content] if isinstance(content, str) else [f"- {name}: {value}" for name, value in content.items()]
        parts += [f"## {title}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def render_card(card: Card) -> str:
    """Render a card as a page."""
    sections = [
        render_section(title, f"<p>{escape(content)}</p>" if isinstance(content, str) else render_facts(content))
        for title, content in card.sections.items()
    ]
    return render_page(card.title, card.lead, sections)
