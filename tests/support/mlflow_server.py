"""A real MLflow server on loopback, of a database of its own."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

from flows.server import find_free_port
from pixelwise.tracking.store import UnreachableError, connect, require_answer


@contextmanager
def server_down(folder, template):
    """A server that is down until it is started, with all it keeps in `folder`; killed at the end."""
    server = Server(folder, template)
    try:
        yield server
    finally:
        server.kill()


class Server:
    """An MLflow server on loopback that can be started and killed again and again."""

    def __init__(self, folder, template):
        self.folder, self.port, self.process = folder, find_free_port(), None
        shutil.copy(template, folder / "server.db")
        self.uri = f"http://127.0.0.1:{self.port}"

    def start(self):
        command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db", "--artifacts-destination", "kept"]
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command], cwd=self.folder, env=environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                require_answer(self.uri)
                return connect(self.uri)
            except UnreachableError:
                assert self.process.poll() is None, (self.folder / "server.log").read_text()
                time.sleep(0.1)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self):
        if self.process:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None
