import shutil
import subprocess
import sys

import pytest
from support.dvc_repository import replace
from support.prefect_checkout import environment, make_checkout, prefect, run_deployment, running

from flows.pipeline import PIPELINE_LOCK
from pixelwise.file_lock import hold_lock

pytestmark = pytest.mark.slow


@pytest.fixture
def checkout(tmp_path):
    return make_checkout(tmp_path / "checkout")


def run(checkout):
    return subprocess.run(
        [sys.executable, "-m", "pixelwise.cli", "run"],
        check=False, cwd=checkout, env=environment(), capture_output=True, text=True, timeout=240,
    )  # fmt: skip


def test_pixelwise_run_runs_everything_then_nothing_and_keeps_prefect_in_the_checkout(checkout):
    first = run(checkout)
    assert first.returncode == 0, first.stderr
    assert "[4/4] d … ran (" in first.stdout
    assert "mlflow ui --backend-store-uri sqlite:///mlflow.db" in first.stdout
    assert (checkout / ".prefect/prefect.db").is_file()
    assert "pipeline: 4 unchanged" in run(checkout).stdout


def test_pixelwise_run_ends_with_one_line_and_status_1_where_a_stage_fails(checkout):
    replace(checkout / "dvc.yaml", "cat a.txt > b.txt", "exit 3")
    failed = run(checkout)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("error: b@toy: failed to reproduce 'b@toy'")
    assert "Traceback" not in failed.stderr


def test_pixelwise_run_works_outside_git(checkout):
    shutil.rmtree(checkout / ".git")
    assert "pipeline: 4 ran" in run(checkout).stdout


def until(word, lines):
    """The `lines` up to the first that has `word`."""
    for line in lines:
        yield line
        if word in line:
            return


def test_the_deployments_run_on_a_worker(checkout, prefect_server):
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    prefect(checkout, url, "work-pool", "create", "local", "--type", "process")
    prefect(checkout, url, "deploy", "--all")
    with running(checkout, url, "prefect", "worker", "start", "--pool", "local"):
        assert run_deployment(checkout, url, "pipeline/nightly") == ("Completed", "pipeline: 4 ran")
        name, message = run_deployment(checkout, url, "verify/weekly")
        assert (name, message.partition(":")[0]) == ("Completed", "intact")
        with hold_lock(checkout / PIPELINE_LOCK, waits=False):
            assert run_deployment(checkout, url, "verify/weekly")[0] == "Skipped"
    assert (checkout / "d.txt").is_file()
    with running(checkout, url, "flows.deployments") as output:
        assert "error: pipeline/nightly: found it in the work pool local, expected no pool" in output.read()
    # The server is shared with other tests.
    prefect(checkout, url, "deployment", "delete", "--all")


def test_the_deployments_are_served_by_one_process(checkout, prefect_server):
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    with running(checkout, url, "flows.deployments") as output:
        said = list(until("weekly", output))
        assert "weekly" in said[-1], "".join(said)
        assert run_deployment(checkout, url, "pipeline/nightly") == ("Completed", "pipeline: 4 ran")
