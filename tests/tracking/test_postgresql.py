"""An MLflow server whose store is PostgreSQL: register, promote, roll back and load over it as over a file."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from support.bright_model import write_model

from components import promote, register
from flows.server import find_free_port
from pixelwise.families.options import ReleaseParams
from pixelwise.registry.references import resolve_model
from pixelwise.registry.versions import read_aliases
from pixelwise.tools import release
from pixelwise.tracking.store import UnreachableError, connect, require_answer

pytestmark = pytest.mark.slow
SECONDS = 120


def find_programs() -> Path:
    """The folder of PostgreSQL's own programs, as Debian has it or on the path; skips where there are none."""
    pytest.importorskip("psycopg2")
    found = [*Path("/usr/lib/postgresql").glob("*/bin/initdb"), *filter(None, [shutil.which("initdb")])]
    if not found:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return Path(found[0]).parent


def as_postgres(*command) -> None:
    """Run a command as the user postgres where we are root, as whom it refuses to run."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *map(str, command)], check=True, capture_output=True, cwd="/", timeout=SECONDS)


@pytest.fixture
def database():
    """The URI of an empty database on loopback, of a cluster of the test's own."""
    programs, port = find_programs(), find_free_port()
    # Not below pytest's folder, into which no other user can look.
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, *pwd.getpwnam("postgres")[2:4])
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        as_postgres(programs / "initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "mlflow")
        cluster = ["-D", f"{folder}/data", "-w"]
        as_postgres(programs / "pg_ctl", *cluster, "-o", options, "-l", f"{folder}/log", "start")
        try:
            yield f"postgresql://mlflow@127.0.0.1:{port}/postgres"
        finally:
            as_postgres(programs / "pg_ctl", *cluster, "-m", "immediate", "stop")


@pytest.fixture
def server(database, tmp_path):
    """The address of an MLflow server over that database."""
    port = find_free_port()
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(tmp_path / "kept")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (tmp_path / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}", process, tmp_path / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def wait_for(address, process, log):
    """Return when the server answers."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return require_answer(address)
        except UnreachableError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)


def test_releases_over_a_server_on_postgresql(server, database, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    limits, ledger = ReleaseParams(mean_iu_floor=0.5, resamples=200, milliseconds_limit=100), tmp_path / "ledger.jsonl"
    for threshold, accuracy in ((1, 0.85), (2, 0.9)):
        register.run("fcn", **write_model(tmp_path / str(threshold), accuracy, threshold), tracking=server)
        assert promote.run(limits, "fcn", ledger, server).outcome == "promoted"
    assert read_aliases(connect(server), "fcn") == {"champion": "2", "previous": "1"}
    # A second machine sees the same, and gets the file that the first one registered.
    folder = resolve_model("models:/fcn@champion", server)
    assert (folder / "onnx/model.onnx").read_bytes() == (tmp_path / "2/model/onnx/model.onnx").read_bytes()
    release.rollback(["fcn"], ledger, server)
    assert read_aliases(connect(database), "fcn")["champion"] == "1"
