"""Every family goes all the way: each cell of the matrix of families and verbs has a test that says so by a mark.

`@pytest.mark.covers("serve", "guided")` stands on a test that runs `serve` on a guided model and fails where it is
wrong. Without a family, the test covers all of them, as those of ingest, whose result every family reads.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pixelwise.families import names

TESTS = Path(__file__).resolve().parent
VERBS = ("ingest", "validate", "train", "export", "quantize", "benchmark")
VERBS += ("evaluate", "register", "promote", "serve", "predict", "reproduce")
CELLS = {(family, verb) for family in names() for verb in VERBS}


def list_marks(file: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(test, verb, families) of every mark in a file, which is read and not imported."""
    source = file.read_text()
    for node in ast.walk(ast.parse(source)) if "mark.covers" in source else ():
        for mark in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.covers":
                verb, *families = map(ast.literal_eval, mark.args)
                yield f"{file.relative_to(TESTS)}::{node.name}", verb, tuple(families) or tuple(names())


def find_tests() -> dict[tuple[str, str], list[str]]:
    """The tests of each cell (family, verb)."""
    found = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        for test, verb, families in list_marks(file):
            for family in families:
                found[family, verb].append(test)
    return dict(found)


def test_no_cell_of_the_matrix_is_without_a_test():
    assert sorted(CELLS - set(find_tests())) == []


def test_every_mark_names_a_verb_and_families_that_there_are():
    assert sorted(set(find_tests()) - CELLS) == []


def test_a_mark_covers_its_families_and_all_where_it_names_none(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.TESTS", tmp_path)
    (tmp_path / "test_marks.py").write_text(
        "@pytest.mark.covers('serve', 'fcn', 'guided')\ndef test_one(): ...\n"
        "@pytest.mark.covers('ingest')\ndef test_all(): ...\n"
        "@pytest.mark.slow\ndef test_none(): ...\n"
    )
    found = find_tests()
    assert found["fcn", "serve"] == found["guided", "serve"] == ["test_marks.py::test_one"]
    assert [found[family, "ingest"] for family in names()] == [["test_marks.py::test_all"]] * len(names())
    assert len(found) == 2 + len(names())
