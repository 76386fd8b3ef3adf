"""The index of the studies in git is what their JSON files give."""

from pathlib import Path

from PIL import Image

from pixelwise.identity import PROJECT
from pixelwise.studies.index import INDEX_FILE, render_index
from pixelwise.studies.pages import locate_sheet, write_sheet

STUDIES = PROJECT / "docs" / "studies"


def test_the_index_in_git_is_computed_from_the_figures_beside_it():
    assert (STUDIES / INDEX_FILE).read_text() == render_index(STUDIES)


def test_the_index_shows_a_studys_pictures_where_they_are_kept(tmp_path):
    (tmp_path / "oracle.json").write_bytes((STUDIES / "oracle.json").read_bytes())
    assert "![Pictures" not in render_index(tmp_path)
    write_sheet(tmp_path, "oracle", Image.new("RGB", (40, 30)))
    assert locate_sheet(tmp_path, "oracle") == Path(tmp_path / "oracle-pictures.webp")
    assert "![Pictures of oracle](oracle-pictures.webp)" in render_index(tmp_path)


def test_what_git_keeps_of_the_studies_is_small():
    assert sum(file.stat().st_size for file in STUDIES.iterdir() if file.suffix in (".json", ".md", ".webp")) < 4e6
