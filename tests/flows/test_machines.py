"""Two working copies, as of two machines, that share a DVC remote: what one made the other does not make again."""

import asyncio
import subprocess
import sys

import pytest
from dvc_world import make_repository, replace, repro

pytestmark = pytest.mark.slow
BUCKET = "pixelwise"


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
