"""What a record says of the machine and of a model that was given."""

import json

import pytest

from pixelwise.studies import provenance

RUN = {
    "run_id": None,
    "experiment": "fcn",
    "fingerprint": "ab" * 32,
    "parts": {"data": "d", "code": "c", "environment": {}, "parameters": {"epochs": 3}},
}


@pytest.mark.parametrize("place", ["checkpoint", "."])
def test_a_given_model_is_described_by_its_training(place, tmp_path):
    assert provenance.describe_model(tmp_path) == {}
    assert provenance.read_fingerprint(tmp_path) is None
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "run.json").write_text(json.dumps(RUN))
    assert provenance.describe_model(tmp_path) == {
        "fingerprint": "ab" * 32,
        "data": "d",
        "code": "c",
        "parameters": {"epochs": 3},
    }
    assert provenance.read_fingerprint(tmp_path) == "ab" * 32


def test_other_work_is_that_of_other_programs_per_second(monkeypatch):
    seconds, clock = iter([100.0, 103.0]), iter([10.0, 14.0])
    monkeypatch.setattr(provenance, "read_other_seconds", lambda: next(seconds))
    monkeypatch.setattr(provenance, "perf_counter", lambda: next(clock))
    found = provenance.watch()()
    assert (found["other_work"], found["minutes"]) == (0.75, 0.07)
    assert "cores of" in found["machine"]


def test_where_the_machine_does_not_tell_its_work_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "STAT", tmp_path / "none")
    assert provenance.watch()()["other_work"] is None


def test_the_work_of_this_program_is_not_other_work(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "STAT", tmp_path / "stat")
    (tmp_path / "stat").write_text("cpu  100000 0 50000 9 9 0 0 0 0 0\ncpu0 1\n")
    idle = provenance.read_other_seconds()
    assert 0 < idle < 1500
    sum(number * number for number in range(2_000_000))
    assert provenance.read_other_seconds() < idle
