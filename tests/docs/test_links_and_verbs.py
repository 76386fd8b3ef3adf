"""The documentation names only what exists: every relative link, every anchor and every verb."""

import re
from pathlib import Path

import pytest

from pixelwise.cli import VERBS
from pixelwise.identity import PROJECT

PAGES = sorted([PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")])
TEXTS = [*PAGES, PROJECT / "docs" / "tutorial.ipynb", PROJECT / "prefect.yaml", *(PROJECT / "recipes").glob("*.yaml")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
VERB = re.compile(r"`pixelwise ([a-z][a-z-]*)|^ *pixelwise ([a-z][a-z-]*)", re.MULTILINE)
# Pages of the site that docs/generate.py writes.
GENERATED = {
    PROJECT / "docs" / "tutorial.md",
    *(PROJECT / "docs" / "reference" / f"{name}.md" for name in ("commands", "parameters", "python", "steps")),
}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def exists(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if page.is_relative_to(PROJECT / "docs") and target in GENERATED:
        return True
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_relative_link_and_anchor_leads_somewhere(page):
    links = [link for link in LINK.findall(page.read_text()) if not re.match(r"[a-z]+:", link)]
    assert [link for link in links if not exists(page, link)] == []


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.relative_to(PROJECT).as_posix())
def test_every_verb_that_is_shown_is_a_verb(file):
    shown = {first or second for first, second in VERB.findall(file.read_text().replace("\\n", "\n").replace('"', " "))}
    assert shown - set(VERBS) == set()


def test_the_readme_lists_every_verb():
    listed = re.findall(r"^\| `pixelwise ([a-z-]+)", (PROJECT / "README.md").read_text(), re.MULTILINE)
    assert set(listed) == set(VERBS)
