"""Whose code a command runs: that of the checkout it is started in, or none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).with_name("pixelwise")
# What an active environment of the other checkout sets.
OTHERS = {"PYTHONPATH": str(PROJECT)}
MARK = 'raise SystemExit("the code of the worktree ran")\n'


@pytest.fixture
def worktree(tmp_path):
    """A second checkout without an environment of its own."""
    folder = tmp_path / "worktree"
    for name in ("components", "flows", "pixelwise"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(PROJECT / name, folder)
    return folder


def run(command, folder, **environment):
    """Run `command` in `folder` with the environment of this checkout active."""
    variables = os.environ | OTHERS | environment
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", ["components/ingest.py", "pixelwise/data/prepared_writer.py", "pixelwise/command.py"])
@pytest.mark.parametrize("environment", [{}, {"PYTHONSAFEPATH": "1"}])
def test_a_command_runs_the_code_of_the_worktree_it_is_started_in(worktree, file, environment):
    (worktree / file).write_text(MARK)
    done = run([COMMAND, "ingest", "--out", "out"], worktree, **environment)
    assert (done.returncode, done.stderr) == (1, "the code of the worktree ran\n")


def test_a_folder_with_another_projects_dag_is_no_checkout(tmp_path):
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    done = run([COMMAND, "--help"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
