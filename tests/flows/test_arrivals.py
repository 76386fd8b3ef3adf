"""A drop folder whose readers are a few lines of Python: what the flow decides, and what it starts."""

import asyncio
import json
import os
import sys
import time

import pytest
from support.dvc_repository import make_repository

from flows.pipeline import PIPELINE_LOCK
from pixelwise.file_lock import hold_lock

pytestmark = pytest.mark.usefixtures("prefect_server")
STAGES = f"""\
stages:
  ingest:
    cmd: {sys.executable} read.py
    deps: [drop]
    outs: [data/prepared]
  validate:
    cmd: {sys.executable} judge.py
    deps: [data/prepared, data/accepted.json]
    outs: [reports/validate/statistics.json: {{cache: false}}]
    metrics: [reports/validate/verdict.json: {{cache: false}}]
"""
READ = """\
import hashlib, json, pathlib
out = pathlib.Path("data/prepared")
out.mkdir(parents=True)
text = pathlib.Path("drop/pictures").read_text()
(out / "manifest.parquet").write_text(text)
described = dict.fromkeys(("name", "classes", "palette", "layers"), 0)
described["manifest_sha256"] = hashlib.sha256(text.encode()).hexdigest()
(out / "dataset.json").write_text(json.dumps(described))
"""
JUDGE = """\
import json, pathlib, sys
text = pathlib.Path("data/prepared/manifest.parquet").read_text()
accepted = json.loads(pathlib.Path("data/accepted.json").read_text())
faults = {"items": "broken" in text, "class_names": "renamed" in text, "image_drift": accepted not in ({}, text)}
checks = [{"table": table, "severity": "error", "passed": not bad} for table, bad in faults.items()]
data = json.loads(pathlib.Path("data/prepared/dataset.json").read_text())["manifest_sha256"]
out = pathlib.Path("reports/validate")
out.mkdir(parents=True, exist_ok=True)
(out / "statistics.json").write_text(json.dumps(text))
(out / "verdict.json").write_text(json.dumps({"data": data, "checks": checks}))
sys.exit(f"error: {[table for table, bad in faults.items() if bad]}" if any(faults.values()) else 0)
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A checkout with a drop folder, in which we stand."""
    repository = make_repository(tmp_path / "repository")
    (repository / "data").mkdir()
    for name, text in {
        "dvc.yaml": STAGES, "params.yaml": "ingest: {root: drop}\n", "data/accepted.json": "{}\n",
        "read.py": READ, "judge.py": JUDGE,
    }.items():  # fmt: skip
        (repository / name).write_text(text)
    monkeypatch.chdir(repository)
    return repository


@pytest.fixture
def retraining(tmp_path):
    """A deployment that nobody works on. Gives its name."""
    from flows.pipeline import pipeline

    name = f"of-{tmp_path.name}"
    pipeline.to_deployment(name).apply()
    return f"pipeline/{name}"


def drop(repository, text):
    (repository / "drop").mkdir(exist_ok=True)
    (repository / "drop/pictures").write_text(text)


def ingest(retraining, **arguments):
    from flows.arrivals import ingest

    return asyncio.run(ingest(retrain=retraining, **{"settle_seconds": 0, **arguments}, return_state=True))


def runs_of(deployment):
    """How many runs of `deployment` there are."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    async def read():
        async with get_client() as client:
            wanted = DeploymentFilter(name=DeploymentFilterName(any_=[deployment.partition("/")[2]]))
            return await client.read_flow_runs(deployment_filter=wanted)

    return len(asyncio.run(read()))


@pytest.mark.slow
def test_a_retraining_starts_once_for_every_state_of_the_data(repository, retraining):
    for text, runs in (("first", 1), ("first", 1), ("first and second", 2)):
        drop(repository, text)
        (repository / "data/accepted.json").write_text("{}\n")
        assert ingest(retraining).is_completed()
        assert runs_of(retraining) == runs


def test_bad_data_starts_nothing_and_says_what_is_wrong(repository, retraining):
    drop(repository, "classes renamed")
    (repository / "data/accepted.json").write_text('"before"')
    state = ingest(retraining)
    assert (state.is_failed(), runs_of(retraining)) == (True, 0)
    assert state.message == "validate: ['class_names', 'image_drift']"


@pytest.mark.slow
def test_drift_is_accepted_and_learned_from_where_it_may_be_and_else_left_to_a_person(repository, retraining):
    (repository / "data/accepted.json").write_text('"before"')
    drop(repository, "after")
    assert ingest(retraining, on_drift="stop").is_failed()
    assert (runs_of(retraining), json.loads((repository / "data/accepted.json").read_text())) == (0, "before")
    assert ingest(retraining).is_completed()
    assert (runs_of(retraining), json.loads((repository / "data/accepted.json").read_text())) == (1, "after")
    drop(repository, "after that, broken")
    assert ingest(retraining).is_failed()
    assert json.loads((repository / "data/accepted.json").read_text()) == "after"


def test_files_that_still_arrive_are_left_for_the_next_time(repository, retraining):
    drop(repository, "half")
    # A copy that keeps the time of the content.
    os.utime(repository / "drop/pictures", (time.time() - 10**6,) * 2)
    os.utime(repository / "drop", (time.time() - 10**6,) * 2)
    state = ingest(retraining, settle_seconds=60)
    assert (state.name, (repository / "data/prepared").exists()) == ("Skipped", False)


def test_files_that_arrive_behind_a_link_are_seen_and_hidden_ones_and_broken_links_are_not(tmp_path):
    from flows.arrivals import find_arriving

    (tmp_path / "drop").mkdir()
    (tmp_path / "disk").mkdir()
    (tmp_path / "drop/link").symlink_to(tmp_path / "disk")
    (tmp_path / "drop/gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    time.sleep(0.3)
    (tmp_path / "disk/.a.jpg.part").write_text("half")
    assert find_arriving(tmp_path / "drop", 0.25) is None
    (tmp_path / "disk/a.jpg").write_text("half")
    assert find_arriving(tmp_path / "drop", 0.25) == tmp_path / "drop/link"
    time.sleep(0.3)
    assert find_arriving(tmp_path / "drop", 0.25) is None


def test_while_the_pipeline_runs_ingest_is_skipped(repository, retraining):
    drop(repository, "first")
    with hold_lock(repository / PIPELINE_LOCK, waits=False):
        state = ingest(retraining)
    assert (state.name, runs_of(retraining)) == ("Skipped", 0)
    assert "busy" in state.message


@pytest.mark.slow
def test_a_deployment_that_is_not_there_is_named(repository):
    drop(repository, "first")
    assert "deployment pipeline/lost: not found" in ingest("pipeline/lost").message
