"""pyproject.toml and the two lock files agree, so that nobody forgets `make lock`."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
ASKED = tomllib.loads((PROJECT / "pyproject.toml").read_text())
EXTRAS = ASKED["project"]["optional-dependencies"]
RUNNING = [*ASKED["project"]["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
LOCKS = {"requirements.lock": RUNNING, "requirements-dev.lock": ASKED["dependency-groups"]["dev"]}


def locked(file):
    """The versions of each distribution in a lock file: more than one where they differ by Python or system."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", (PROJECT / file).read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_has_every_package_that_is_asked_for_in_a_version_that_is_allowed(file):
    versions = locked(file)
    for wanted in map(Requirement, LOCKS[file]):
        if wanted.name != "pixelwise":
            found = versions.get(canonicalize_name(wanted.name), set())
            assert found, f"{file}: no {wanted.name}: run `make lock`"
            assert all(wanted.specifier.contains(version) for version in found), f"{file}: {wanted}, found {found}"


def test_developing_changes_no_version_that_runs():
    running, developing = locked("requirements.lock"), locked("requirements-dev.lock")
    both = set(running) & set(developing)
    assert {name: developing[name] for name in both if not developing[name] <= running[name]} == {}


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_names_no_package_index(file):
    assert [line for line in (PROJECT / file).read_text().splitlines() if "://" in line or "index-url" in line] == []
