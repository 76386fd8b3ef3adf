"""Two working copies, as of two machines, that share a DVC remote: what one made the other does not make again."""

import asyncio
import subprocess
import sys

import pytest
from support.dvc_repository import make_repository, replace, repro
from support.mount_namespace import ALONE, can_mount
from support.prefect_checkout import make_checkout, prefect, run_deployment, running

pytestmark = pytest.mark.slow
BUCKET = "pixelwise"
# Both machines have their checkout under one path.
OTHER = [*ALONE, "sh", "-c", 'mount --bind "$0" "$PWD" && cd "$PWD" && exec "$@"']


@pytest.fixture
def remote(request, tmp_path, monkeypatch):
    """The URL of a remote: a folder, or a bucket of moto's S3 on loopback; with the settings that DVC needs for it."""
    if request.param == "folder":
        yield str(tmp_path / "shared"), {}
        return
    moto, boto3 = pytest.importorskip("moto.server"), pytest.importorskip("boto3")
    pytest.importorskip("dvc_s3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-no-account")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket=BUCKET)
    yield f"s3://{BUCKET}/store", {"endpointurl": address}
    server.stop()


def dvc(folder, *command):
    subprocess.run([sys.executable, "-m", "dvc", *command, "--quiet"], cwd=folder, check=True, timeout=240)


def git(folder, *command):
    identity = ["-c", "user.name=first", "-c", "user.email=first@example.org"]
    subprocess.run(["git", *identity, *command], cwd=folder, check=True, timeout=60)


def run_in(folder, monkeypatch):
    from flows.pipeline import pipeline

    monkeypatch.chdir(folder)
    return asyncio.run(pipeline(return_state=True)).message


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("remote", ["folder", "s3"], indirect=True)
def test_what_one_working_copy_made_another_restores(remote, tmp_path, monkeypatch):
    url, settings = remote
    first, second = make_repository(tmp_path / "first"), tmp_path / "second"
    dvc(first, "remote", "add", "--default", "shared", url)
    for name, value in settings.items():
        dvc(first, "remote", "modify", "shared", name, value)
    assert run_in(first, monkeypatch) == "pipeline: 4 ran"
    git(first, "add", "--all")
    git(first, "commit", "--quiet", "--message", "What the first machine made")
    dvc(first, "push", "--run-cache")

    git(tmp_path, "clone", "--quiet", str(first), str(second))
    dvc(second, "pull", "--run-cache")
    assert run_in(second, monkeypatch) == "pipeline: 4 unchanged"

    # A result that nobody committed is found as well, by what it was made from.
    replace(first / "params.yaml", "width: 1", "width: 2")
    repro(first)
    dvc(first, "push", "--run-cache")
    replace(second / "params.yaml", "width: 1", "width: 2")
    dvc(second, "fetch", "--run-cache")
    assert run_in(second, monkeypatch) == "pipeline: 1 restored, 3 unchanged"


@pytest.mark.skipif(not can_mount(), reason="no mount namespace here")
def test_a_worker_on_another_machine_takes_the_same_deployment_in_its_own_working_copy(prefect_server, tmp_path):
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    first, second = make_checkout(tmp_path / "checkout"), tmp_path / "second"
    dvc(first, "remote", "add", "--default", "shared", str(tmp_path / "shared"))
    prefect(first, url, "work-pool", "create", "machines", "--type", "process")
    prefect(first, url, "deploy", "--name", "nightly", "--pool", "machines")
    worker = ("prefect", "worker", "start", "--pool", "machines")
    with running(first, url, *worker):
        assert run_deployment(first, url, "pipeline/nightly") == ("Completed", "pipeline: 4 ran")
    git(first, "add", "--all")
    git(first, "commit", "--quiet", "--message", "What the first machine made")
    dvc(first, "push", "--run-cache")

    git(tmp_path, "clone", "--quiet", str(first), str(second))
    dvc(second, "pull", "--run-cache")
    replace(second / "params.yaml", "rate: 0.1", "rate: 0.2")
    with running(first, url, *worker, within=[*OTHER, str(second)]):
        assert run_deployment(first, url, "pipeline/nightly") == ("Completed", "pipeline: 3 unchanged, 1 ran")
    assert "rate: 0.2" in (second / "dvc.lock").read_text()
    assert "rate: 0.1" in (first / "dvc.lock").read_text()
