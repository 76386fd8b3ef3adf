"""The Prefect server: the one at PREFECT_API_URL, or one for a single run where that is not set.

Prefect can start a temporary server by itself, but it first imports the whole server into this process, which takes 8 s
more, and that server keeps running after this process is killed.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.error import URLError

from flows.command import GUARD
from pixelwise.errors import PixelwiseError
from pixelwise.tracking.store import redact_uri

LOG = Path("server.log")
# A busy machine may take minutes to start it; `wait` notices at once where the server ends.
START_SECONDS = 300.0
POLL_SECONDS = 0.1


class ServerError(PixelwiseError):
    """Prefect's server did not start, or does not answer."""


class TemporaryServer:
    """Prefect's API and database without the UI, on a free local port. The server ends when this process ends."""

    def __init__(self, home: Path) -> None:
        """Start the server, which logs under `home`, and set PREFECT_API_URL to it. It answers after `wait`."""
        home.mkdir(parents=True, exist_ok=True)
        self.log = home / LOG
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}/api"
        server = ["uvicorn", "--factory", "prefect.server.api.server:create_app", "--lifespan", "on"]
        guarded = [sys.executable, "-I", "-S", str(GUARD), sys.executable, "-m", *server, "--port", str(port)]
        environment = {
            **os.environ,
            # Prefect sets these for its own temporary server, which runs only the services that a run needs.
            "PREFECT_UI_ENABLED": "0",
            "PREFECT__SERVER_EPHEMERAL": "1",
            # The console of a run is silent; that of the server is its log.
            "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                guarded, env=environment, start_new_session=True, stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        os.environ["PREFECT_API_URL"] = self.url

    def wait(self) -> None:
        """Return when the server answers.

        Raises ServerError naming the log where the server ends or does not answer within START_SECONDS.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.is_answering():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise ServerError(f"{self.log}: Prefect's server did not start, expected an answer at {self.url}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stop the server and wait until it has ended."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def is_answering(self) -> bool:
        """Whether the server answers a health request."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as reply:  # noqa: S310  our own http address
                return reply.status == 200
        except (URLError, OSError):
            return False


async def require_server() -> None:
    """Raise ServerError, in one line, where no Prefect server answers at PREFECT_API_URL."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    async with get_client() as client:
        if fault := await client.api_healthcheck():
            url = redact_uri(str(PREFECT_API_URL.value()))
            reason = " ".join(str(fault).split()).rstrip(".") or type(fault).__name__
            raise ServerError(
                f"PREFECT_API_URL: {url}: {reason}; expected the address of `prefect server start`, "
                "such as http://127.0.0.1:4200/api"
            )


def find_free_port() -> int:
    """Return a port on which no process listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
