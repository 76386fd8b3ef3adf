"""Whether pages can be tried in a browser here."""

import importlib.util
import shutil

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
needs_chromium = pytest.mark.skipif(
    importlib.util.find_spec("playwright") is None or not any(map(shutil.which, PROGRAMS)),
    reason="Playwright's Python package is not installed, or no Chromium is on the PATH",
)
