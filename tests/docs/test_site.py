"""The documentation site builds without a warning, and no page of it loads anything from elsewhere."""

import os
import re
import subprocess
import sys

import pytest

from pixelwise.identity import PROJECT

LOADS = re.compile(
    r"""<(?:script|img|iframe)[^>]+src=["']?https?:|<link[^>]+rel=["']?(?:stylesheet|preconnect)[^>]*https?:"""
)


@pytest.mark.slow
def test_the_site_builds_in_strict_mode_and_opens_without_a_network(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    # Material for MkDocs prints a notice about MkDocs 2 unless told not to, as in the Makefile.
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert {"index.html", "tutorial.html", "404.html"} <= {page.name for page in pages}
    assert [page.name for page in pages if LOADS.search(page.read_text())] == []
    assert "open_model" in (tmp_path / "reference" / "python.html").read_text()
