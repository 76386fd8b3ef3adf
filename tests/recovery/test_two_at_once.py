"""Two runs of the pipeline that start at the same moment, as two schedules may: one works, the other is skipped."""

import os
import subprocess
import sys
import time

import pytest
from support.dvc_repository import PROJECT, make_repository, replace

MOST_SECONDS = 300


def start(repository, output):
    """`pixelwise run` in `repository`, with all that it says in the file `output`."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PREFECT_API_URL": ""}
    command = [sys.executable, "-m", "pixelwise.cli", "run", "--no-promote"]
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=repository, env=environment, stdout=file, stderr=file)


@pytest.mark.slow
def test_of_two_runs_that_start_at_once_one_works_and_the_other_is_skipped_as_busy(tmp_path):
    repository = make_repository(tmp_path / "repository")
    # Whoever comes first is not done before the other has ended.
    replace(repository / "dvc.yaml", "echo making a", "until test -e go; do sleep 0.1; done; echo a >> ran.txt")
    outputs = [tmp_path / "first.txt", tmp_path / "second.txt"]
    both = [start(repository, output) for output in outputs]
    try:
        end = time.monotonic() + MOST_SECONDS
        while all(each.poll() is None for each in both):
            assert time.monotonic() < end, [output.read_text() for output in outputs]
            time.sleep(0.1)
        (repository / "go").touch()
        statuses = [each.wait(MOST_SECONDS) for each in both]
    finally:
        for each in both:
            each.kill()
    said = [output.read_text() for output in outputs]
    assert statuses == [0, 0], said
    assert sorted("skipped: busy" in words for words in said) == [False, True], said
    assert sorted("pipeline: 4 ran" in words for words in said) == [False, True], said
    assert (repository / "ran.txt").read_text() == "a\n"
