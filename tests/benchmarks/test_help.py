"""Every measurement is a command that says what it takes."""

import runpy
import sys

import pytest

from pixelwise.identity import PROJECT

HELPERS = {"__init__", "http_requests", "labelling_curve", "request_kinds", "two_releases"}
NAMES = sorted(file.stem for file in (PROJECT / "benchmarks").glob("*.py") if file.stem not in HELPERS)


@pytest.mark.parametrize("name", NAMES)
def test_a_measurement_says_what_it_takes(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["python", "--help"])
    # As in a new process, in which no test has imported it.
    monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    assert capsys.readouterr().out.startswith(f"usage: python -m benchmarks.{name} ")
