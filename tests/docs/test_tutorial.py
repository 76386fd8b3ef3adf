"""The tutorial runs from its first cell to its last, and git holds of its outputs only what a reader wants to see."""

import ast

import nbformat
import pytest
from nbclient import NotebookClient

from pixelwise.identity import PROJECT

FILE = PROJECT / "docs" / "tutorial.ipynb"
KEEP = "keep-output"


@pytest.fixture
def notebook():
    return nbformat.read(FILE, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_tutorial_is_a_valid_notebook_whose_cells_are_python_or_bash(notebook):
    nbformat.validate(notebook)
    for cell in code_cells(notebook):
        if not cell.source.startswith("%%bash\n"):
            ast.parse(cell.source)


def test_git_holds_the_outputs_of_the_cells_that_are_marked_for_it_and_no_machines_paths(notebook):
    for cell in code_cells(notebook):
        assert cell.execution_count is None
        assert bool(cell.outputs) == (KEEP in cell.metadata.get("tags", []))
    assert "/tmp/" not in FILE.read_text()
    assert FILE.stat().st_size < 200_000


@pytest.mark.slow
def test_the_tutorial_runs_and_shows_what_git_holds(notebook):
    kept = [cell.outputs for cell in code_cells(notebook)]
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(PROJECT)}}).execute()
    for cell, before in zip(code_cells(notebook), kept, strict=True):
        if before:
            assert [output.output_type for output in cell.outputs] == [output.output_type for output in before]
