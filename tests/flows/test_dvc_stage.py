import asyncio
import sys

import pytest
from support.dvc_repository import make_repository, replace

from flows.command import Outcome
from flows.dvc_stage import StageResult, find_error, reproduce


def reproduce_a(repository):
    """Reproduce stage a: its result, how often it was seen to start, and its own lines."""
    starts, lines = [], []
    result = asyncio.run(reproduce("a", repository, {}, lambda: starts.append(1), lines.append))
    return result.state, len(starts), lines


def test_a_stage_ran_then_is_unchanged_then_restored_as_dvc_says(tmp_path):
    repository = make_repository(tmp_path / "repository")
    assert reproduce_a(repository) == ("ran", 1, ["making a"])
    assert reproduce_a(repository) == ("unchanged", 0, [])
    replace(repository / "params.yaml", "width: 1", "width: 2")
    assert reproduce_a(repository) == ("ran", 1, ["making a"])
    replace(repository / "params.yaml", "width: 2", "width: 1")
    assert reproduce_a(repository) == ("restored", 0, [])
    (repository / "a.txt").unlink()
    assert reproduce_a(repository) == ("restored", 0, [])


def test_a_stage_that_always_runs_is_unchanged_where_its_results_are(tmp_path):
    repository = make_repository(tmp_path / "repository")
    replace(repository / "dvc.yaml", "  a:\n", "  a:\n    always_changed: true\n")
    assert reproduce_a(repository) == ("ran", 1, ["making a"])
    assert reproduce_a(repository) == ("unchanged", 1, ["making a"])
    replace(repository / "data.txt", "data", "more data")
    assert reproduce_a(repository) == ("ran", 1, ["making a"])


def test_a_failed_stage_gives_its_own_error_line(tmp_path, capfd):
    repository = make_repository(tmp_path / "repository")
    fail = f"{sys.executable} -c \\\"import sys; sys.exit('error: data.txt is empty, expected data')\\\""
    replace(repository / "dvc.yaml", "echo making a; cat data.txt > a.txt", f'"{fail}"')
    result = asyncio.run(reproduce("a", repository, {}, list, print))
    assert result == StageResult("a", "failed", error="data.txt is empty, expected data")
    assert "error: data.txt is empty" in capfd.readouterr().err


def test_a_stage_whose_needs_are_missing_fails_in_dvcs_words(tmp_path):
    repository = make_repository(tmp_path / "repository")
    result = asyncio.run(reproduce("b@toy", repository, {}, list, print))
    assert result.state == "failed"
    assert "a.txt" in result.error


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (["error: no data", "ERROR: failed to reproduce 'a'"], "no data"),
        (["Traceback", "ERROR: failed to reproduce 'a'"], "failed to reproduce 'a'"),
        (["Killed", ""], "Killed"),
        ([], "ended with status 3"),
    ],
)
def test_the_steps_own_words_come_before_dvcs(errors, expected):
    assert find_error(Outcome(3, [], errors)) == expected
