"""MLflow servers on loopback: a real one of a database of its own, one behind a password, and an older one."""

import os
import shutil
import subprocess
import sys
import threading
import time
from base64 import b64encode
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from flows.server import find_free_port
from pixelwise.tracking.store import UnreachableError, connect, require_answer

USER, PATH = "ann:sesame", "/tracking/mlflow"
HOP_BY_HOP = {"authorization", "host", "connection", "transfer-encoding", "content-encoding", "content-length"}


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


@contextmanager
def behind_password(server):
    """The address of a proxy before the server at that address: it asks for USER and serves it below PATH."""

    class Proxy(Quiet):
        def do_GET(self):
            if self.headers["Authorization"] != f"Basic {b64encode(USER.encode()).decode()}":
                return self.answer(401, b"no such user")
            if not self.path.startswith(f"{PATH}/"):
                return self.answer(404, b"nothing here")
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            found = httpx.request(
                self.command, server + self.path.removeprefix(PATH), content=body, headers=without_hops(self.headers),
                timeout=60,
            )  # fmt: skip
            return self.answer(found.status_code, found.content, without_hops(found.headers))

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names that the base class calls

    with serving(Proxy) as address:
        yield f"http://{USER}@{address}{PATH}"


@contextmanager
def older_server(version):
    """The address of a server that knows its version and none of today's endpoints."""

    class Older(Quiet):
        def do_GET(self):
            if self.path == "/version":
                return self.answer(200, version)
            return self.answer(404, b"<!doctype html><title>404 Not Found</title>")

        do_POST = do_GET  # noqa: N815 - the name that the base class calls

    with serving(Older) as address:
        yield f"http://{address}"


class Quiet(BaseHTTPRequestHandler):
    """Answers without a line for each request."""

    def answer(self, status, body, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def serving(handler):
    """Host and port of a server of this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def without_hops(headers):
    """Headers but those of one connection, or that another length would make wrong."""
    return {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
