"""Terminals, services and locales whose encoding is not UTF-8."""

import os
import subprocess
import sys

import pytest

LATIN_TERMINAL = {"PYTHONIOENCODING": "latin-1"}
# As a service without a locale, where Python's own remedies are off.
ASCII_LOCALE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


def pixelwise(folder, environment, *command):
    """The status of a command and the bytes of its output and errors."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))}
    done = subprocess.run(
        [sys.executable, "-m", "pixelwise.cli", *command],
        cwd=folder, env=kept | environment, capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("environment", [LATIN_TERMINAL, ASCII_LOCALE])
def test_what_the_terminal_cannot_show_is_a_question_mark(environment, tmp_path):
    status, output, errors = pixelwise(tmp_path, environment, "params", "--help")
    assert (status, errors) == (0, b"")
    assert output.startswith(b"usage: pixelwise params")
    status, output, errors = pixelwise(tmp_path, environment, "params", "--params-file", "Straße…")
    assert (status, output) == (1, b"")
    name = b"Stra\xdfe?" if environment is LATIN_TERMINAL else b"Stra?e?"
    assert errors.startswith(b"error: " + name + b": no such file")


@pytest.mark.parametrize("environment", [LATIN_TERMINAL, ASCII_LOCALE])
def test_files_are_read_and_written_as_utf8(environment, tmp_path):
    (tmp_path / "params.yaml").write_text("# Maße – as they are\ningest:\n  dataset: town\n", encoding="utf-8")
    (tmp_path / "straße.yaml").write_text("ingest: {dataset: camvid}\n", encoding="utf-8")
    (tmp_path / "Bilder-ü").mkdir()
    assert pixelwise(tmp_path, environment, "use", "straße.yaml", "--root", "Bilder-ü")[0] == 0
    written = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    assert all(word in written for word in ("# Maße – as they are", "straße.yaml", "root: Bilder-ü"))
