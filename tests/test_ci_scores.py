"""What CI posts about the scores of a change."""

import os
import shutil
import subprocess

import pytest
from support.dvc_repository import PROJECT, make_repository, replace

STAGES = """\
stages:
  score:
    cmd: printf '{"mean_iu":%s}' $(cat rate.txt) > metrics.json; echo ran >> "$RUNS"
    deps: [rate.txt]
    metrics: [{metrics.json: {cache: false}}]
"""
HEAD = ["Path", "Metric", "base", "workspace", "Change"]


@pytest.fixture
def repository(tmp_path):
    """A repository with one committed stage, whose score is the number in rate.txt, and .ci/scores."""
    folder = make_repository(tmp_path / "repository")
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "rate.txt").write_text("0.25")
    (folder / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci/scores", folder / ".ci")
    git(folder, "add", "--all")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "--message", "base")
    return folder


def git(folder, *argv):
    """What a git command prints."""
    return subprocess.run(["git", *argv], cwd=folder, check=True, capture_output=True, text=True).stdout


def scores(folder, base):
    """The cells of the table against `base`, and how often the stage ran for it."""
    runs = folder.parent / "runs"
    runs.write_text("")
    environment = os.environ | {"RUNS": str(runs)}
    done = subprocess.run(
        [".ci/scores", base], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line]
    return [[cell.strip() for cell in row] for row in rows if set(row[0]) != {"-"}], len(runs.read_text().splitlines())


def test_the_scores_of_a_change_are_a_table_and_nothing_is_computed_twice(repository):
    replace(repository / "rate.txt", "0.25", "0.75")
    changed = [HEAD, ["metrics.json", "mean_iu", "0.25", "0.75", "0.5"]]
    assert scores(repository, "HEAD") == (changed, 2)
    assert scores(repository, "HEAD") == (changed, 0)
    assert git(repository, "worktree", "list").count("\n") == 1


def test_what_a_change_leaves_as_it_is_is_computed_once(repository):
    assert scores(repository, "HEAD") == ([HEAD], 1)
