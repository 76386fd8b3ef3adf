import asyncio
import uuid
from datetime import timedelta

import pytest
from support.bright_model import write
from support.dvc_repository import make_repository, replace, repro

from flows.dead_runs import RUNS
from flows.pipeline import PIPELINE_LOCK
from flows.tries import Tries
from pixelwise.errors import DataError
from pixelwise.file_lock import hold_lock
from pixelwise.tracking.store import UnreachableError

pytestmark = pytest.mark.usefixtures("prefect_server")
# Waits for the other branch to begin: 20 s, then fails.
MEET = "for i in $(seq 200); do test -e {other} && break; sleep 0.1; done; test -e {other}"

# What metrics.json says beside the scores.
SCORED = {"measures": {"mean IU": "mean_iu"}, "scored_on": "3 images"}
FIRST = """\
stages:
  first:
    cmd: cp source.txt data.txt
    always_changed: true
    outs: [data.txt]
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The tiny repository, and we stand in it."""
    repository = make_repository(tmp_path / "repository")
    monkeypatch.chdir(repository)
    return repository


def run(**arguments):
    from flows.pipeline import pipeline

    return asyncio.run(pipeline(**arguments, return_state=True))


def tasks_of(state):
    """What the Prefect UI shows of a flow run: task run -> state."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    async def read():
        async with get_client() as client:
            wanted = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
            found = await client.read_task_runs(flow_run_filter=wanted)
            # Task runs reach the server as events, and may be there before their states are.
            async with asyncio.timeout(20):
                while not all(task.state for task in found):
                    await asyncio.sleep(0.1)
                    found = await client.read_task_runs(flow_run_filter=wanted)
            return found

    return {task.name: task.state.name for task in asyncio.run(read())}


def last_artifact():
    from prefect.artifacts import Artifact

    return asyncio.run(Artifact.aget("pipeline")).data


def test_stages_are_shown_as_ran_then_unchanged_then_restored(repository, capsys):
    first = run()
    assert (first.is_completed(), first.message) == (True, "pipeline: 4 ran")
    assert tasks_of(first) == {"a": "Ran", "b@toy": "Ran", "c@toy": "Ran", "d": "Ran"}
    assert "[1/4] a …\nmaking a\n[1/4] a … ran (" in capsys.readouterr().out

    replace(repository / "params.yaml", "width: 1", "width: 2")
    repro(repository)
    replace(repository / "params.yaml", "width: 2", "width: 1")
    (repository / "reports/toy").mkdir(parents=True)
    write(repository / "reports/toy/metrics.json", {"mean_iu": 0.75, **SCORED})
    other = {"positive_iu": 0.5, "mean_iu": 0.7, "measures": {"positive IU": "positive_iu"}, "scored_on": "4 tasks"}
    write(repository / "reports/other/metrics.json", other)
    second = run()
    assert tasks_of(second) == {"a": "Restored", "b@toy": "Unchanged", "c@toy": "Unchanged", "d": "Unchanged"}
    assert second.message == "pipeline: 1 restored, 3 unchanged"
    assert "| a | restored |" in last_artifact()
    head = "| model | positive IU | mean IU | scored on |\n| --- | ---: | ---: | --- |\n"
    assert f"{head}| other | 0.5000 | – | 4 tasks |\n| toy | – | 0.7500 | 3 images |" in last_artifact()


def test_what_a_stage_that_always_runs_writes_decides_what_has_work(repository, capsys):
    replace(repository / "dvc.yaml", "stages:\n", FIRST)
    (repository / "data.txt").rename(repository / "source.txt")
    assert run().message == "pipeline: 5 ran"
    assert run().message == "pipeline: 5 unchanged"
    (repository / "source.txt").write_text("other data\n")
    assert run().message == "pipeline: 5 ran"
    assert "dvc push" not in capsys.readouterr().out


def test_branches_run_side_by_side(repository, monkeypatch):
    monkeypatch.setattr("flows.slots.DEVICES", repository / "none")
    replace(repository / "dvc.yaml", "cat a.txt > b.txt", f"touch .b; {MEET.format(other='.c')}; cat a.txt > b.txt")
    replace(repository / "dvc.yaml", "cat a.txt code", f"touch .c; {MEET.format(other='.b')}; cat a.txt code")
    assert run(targets=["b@toy", "c@toy"]).message == "pipeline: 3 ran"


def test_a_failed_stage_fails_the_flow_in_one_line_and_stops_what_needs_it(repository, capsys):
    (repository / "fail.sh").write_text("echo 'error: b has no data' >&2; exit 1\n")
    replace(repository / "dvc.yaml", "cat a.txt > b.txt", "sh fail.sh")
    state = run()
    assert (state.is_failed(), state.message) == (True, "b@toy: b has no data")
    assert tasks_of(state) == {"a": "Ran", "b@toy": "Failed", "c@toy": "Ran"}
    assert "[4/4] d … not run" in capsys.readouterr().out
    assert "| b@toy | failed |" in last_artifact()


def test_a_second_run_ends_as_skipped_busy(repository, capsys):
    with hold_lock(repository / PIPELINE_LOCK, waits=False):
        state = run()
    assert (state.is_completed(), state.name) == (True, "Skipped")
    assert "skipped: busy" in capsys.readouterr().out


def make_run(client, state, **more):
    """A flow run in the state `state`, of which no process works; its id."""
    from prefect import flow

    run = client.create_flow_run(flow(name="killed")(lambda: None), **more)
    client.set_flow_run_state(run.id, state, force=True)
    return run.id


def test_a_run_that_was_killed_is_ended_as_crashed_by_the_next(repository):
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    with get_client(sync_client=True) as client:
        killed, alive, other = make_run(client, Running()), make_run(client, Running()), str(uuid.uuid4())
        (repository / RUNS).mkdir(parents=True)
        # A power cut frees the locks. The last run is of another server.
        for run_id in (killed, other):
            (repository / RUNS / str(run_id)).touch()
        with hold_lock(repository / RUNS / str(alive)), hold_lock(repository / PIPELINE_LOCK):
            assert run(targets=["a"]).name == "Skipped"
        assert client.read_flow_run(killed).state.is_crashed()
        assert client.read_flow_run(alive).state.is_running()
    # What is left is locked, or was when that run began.
    left = {file.name for file in (repository / RUNS).iterdir()}
    assert str(alive) in left
    assert not {str(killed), other} & left


def test_a_run_whose_process_never_began_is_ended_by_the_next_of_its_deployment(repository, monkeypatch):
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Pending

    from flows import dead_runs

    async def begin():
        await dead_runs.end_dead_runs(repository)

    def states():
        asyncio.run(flow(begin)())
        return [client.read_flow_run(run).state.type.value for run in runs]

    with get_client(sync_client=True) as client:
        flow_id = client.create_flow_from_name("killed")
        deployments = [client.create_deployment(flow_id, name, path=".", entrypoint="f.py:f") for name in "ab"]
        runs = [client.create_flow_run_from_deployment(each, state=Pending()).id for each in deployments]
        monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(deployments[0]))
        assert states() == ["PENDING", "PENDING"]
        monkeypatch.setattr(dead_runs, "PENDING_LIMIT", timedelta(0))
        assert states() == ["CRASHED", "PENDING"]
        for deployment in deployments:
            client.delete_deployment(deployment)


def test_a_registry_that_does_not_answer_is_tried_again_then_left_to_the_next_run(repository, monkeypatch, capsys):
    from flows import release

    tried = []

    def register(*args):
        tried.append(args)
        raise UnreachableError("http://host: no answer")

    monkeypatch.setitem(release.ACTIONS, "register", register)
    replace(repository / "params.yaml", "rate: 0.1", "rate: 0.1, release: {}")
    (repository / "models/toy/onnx").mkdir(parents=True)
    (repository / "models/toy/onnx/model.onnx").touch()
    state = run(tries=Tries(retries=1, wait_seconds=0.1))
    assert (state.is_completed(), state.message) == (True, "pipeline: 4 ran, 1 postponed")
    assert len(tried) == 2
    assert "register-toy … postponed: http://host: no answer" in capsys.readouterr().out


def test_a_model_that_cannot_be_registered_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    from flows import release

    def register(family, _):
        if family == "bent":
            raise DataError("metrics.json: no such file")
        return "registered", f"{family} version 1"

    monkeypatch.setattr(release, "ACTIONS", {"register": register, "promote": lambda *_: ("promoted", "1")})
    for family in ("bent", "toy", "unreleased"):
        (tmp_path / f"models/{family}/onnx").mkdir(parents=True)
        (tmp_path / f"models/{family}/onnx/encode.onnx").touch()
    (tmp_path / "params.yaml").write_text("bent: {release: {}}\ntoy: {release: {}}\nunreleased: {train: {}}\n")
    results = asyncio.run(release.release(None, tmp_path, Tries()))
    states = {result.name: result.state for result in results}
    assert states == {"register-bent": "failed", "register-toy": "registered", "promote-toy": "promoted"}
    assert "register-bent … failed: metrics.json: no such file" in capsys.readouterr().out


def test_a_family_or_target_that_is_not_there_is_named(repository):
    assert run(families=["fcn"]).message == "dvc.yaml: no stages of family 'fcn', expected one of: toy"
    assert run(targets=["e"]).message == "dvc.yaml: no stage 'e', expected one of: a b@toy c@toy d"
