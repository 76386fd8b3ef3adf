"""Every measurement is a command that says what it takes."""

import subprocess
import sys

import pytest

from pixelwise.identity import PROJECT

HELPERS = {"__init__", "http_requests", "two_releases"}
NAMES = sorted(file.stem for file in (PROJECT / "benchmarks").glob("*.py") if file.stem not in HELPERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_measurement_says_what_it_takes(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"usage: python -m benchmarks.{name} ")
