"""Kinds of studies: each is used, has its functions, and costs no torch before it runs."""

import subprocess
import sys

import pytest

from pixelwise.identity import PROJECT
from pixelwise.studies.kinds import find_kinds
from pixelwise.studies.study import list_studies, load_study

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
from pixelwise.tools import study
assert "table-3.6" in str(study.run())
"""


def test_every_kind_has_a_study():
    assert {load_study(name).kind for name in list_studies()} == set(find_kinds())


@pytest.mark.parametrize("name", find_kinds())
def test_every_kind_has_the_functions_of_its_modules(name):
    kind = find_kinds()[name]
    measurement = kind.load_measurement()
    assert callable(measurement.require)
    assert callable(measurement.measure)
    assert not kind.charts or callable(kind.load_charts().draw_chart)


def test_the_list_of_studies_needs_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
