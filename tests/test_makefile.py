"""When `make` makes .venv again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose .venv, without packages, is up to date."""
    folder = tmp_path / "before"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(PROJECT / name, folder)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", ".venv"], cwd=folder, check=True)
    (folder / ".venv/.ready").touch()
    return folder


def rebuilds(checkout, *options):
    """Whether `make setup` would make .venv again."""
    done = subprocess.run(["make", "-n", "setup", *options], cwd=checkout, capture_output=True, text=True, check=True)
    return "rm -rf .venv\n" in done.stdout


def test_an_environment_is_kept_where_it_is(checkout):
    assert not rebuilds(checkout)
    assert not rebuilds(checkout, f"PYTHON={sys.executable}")


def test_an_environment_that_was_moved_is_made_again(checkout):
    assert rebuilds(checkout.rename(checkout.with_name("after")))


def test_an_environment_of_another_python_is_made_again(checkout):
    other = checkout.parent / "python3.99"
    other.write_text("#!/bin/sh\necho '(3, 99)'\n")
    other.chmod(0o755)
    assert rebuilds(checkout, f"PYTHON={other}")
