import asyncio

import pytest
from support.channel_model import write_channel_model
from support.image_sets import noise, save

from flows.tries import Tries
from pixelwise.file_lock import hold_lock

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in which we stand."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def predict(**arguments):
    from flows.commands import predict

    return asyncio.run(predict(inputs=["pictures"], model="lost", **arguments, return_state=True))


def test_a_step_that_fails_is_tried_again_and_ends_in_its_one_line(folder, capsys):
    state = predict(tries=Tries(retries=1, wait_seconds=0.1))
    assert state.is_failed()
    assert state.message.startswith("predict: ")
    assert "lost" in state.message
    assert capsys.readouterr().err.count("error: ") == 2


def test_a_second_prediction_is_skipped(folder, capsys):
    with hold_lock(folder / ".state/predict.lock", waits=False):
        assert predict().name == "Skipped"
    assert "skipped: busy" in capsys.readouterr().out


def test_each_wait_is_twice_the_one_before():
    options = Tries(retries=3, wait_seconds=10, limit_seconds=60).as_task_options()
    assert options == {"retries": 3, "retry_delay_seconds": [10, 20, 40], "timeout_seconds": 60}


def test_a_search_that_cannot_be_ends_its_flow_in_one_line(folder):
    from flows.commands import tune

    state = asyncio.run(tune(family="fcn", hours=1, return_state=True))
    assert state.is_failed()
    assert state.message.startswith("tune fcn: ")
    assert "params.yaml: no such file" in state.message


@pytest.mark.slow
def test_predictions_are_spread_over_the_workers_of_a_dask_cluster(folder):
    distributed = pytest.importorskip("distributed")
    from flows.commands import predict

    write_channel_model(folder / "model")
    for number, name in enumerate(("a", "b")):
        save(noise(number), folder / name / "picture.png")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        state = asyncio.run(
            predict(inputs=["a", "b", "lost"], model="model", dask=cluster.scheduler_address, return_state=True)
        )
    assert state.is_failed()
    assert state.message.startswith("predict lost: ")
    for name in ("a", "b"):
        assert (folder / "predictions" / name / "picture.label.png").is_file()
