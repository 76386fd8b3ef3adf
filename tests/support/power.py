"""Prefect's server and worker in a checkout, and a power cut, which kills them and all that they started at once."""

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from flows.server import find_free_port
from support.killed_training import MARK, survivors
from support.prefect_checkout import environment

MOST_SECONDS = 1800
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
BUSY = httpx.codes.SERVICE_UNAVAILABLE
PREFECT = f"{sys.executable} -u -m prefect --no-prompt"
DEPLOY = f"{PREFECT} work-pool create local --type process --overwrite && {PREFECT} deploy --name nightly"


class Power:
    """What runs in `checkout` while there is power. Prefect answers at `url`; the worker's output is in `log`."""

    def __init__(self, checkout: Path) -> None:
        self.checkout, self.log = checkout, checkout.parent / f"{checkout.name}.worker.log"
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        # No connection is kept, since the server dies.
        self.client = httpx.Client(base_url=self.url, limits=httpx.Limits(max_keepalive_connections=0), timeout=60)

    @contextmanager
    def on(self, *, deploys: bool = False) -> Iterator[None]:
        """Server and worker until the block ends; then the power is cut. deploys: also the pool and the deployment."""
        self.log.write_bytes(b"")
        try:
            self.start_server()
            if deploys:
                assert self.start_deploying().wait() == 0, self.read_log("deploy")
            self.start("worker", f"{PREFECT} worker start --pool local")
            yield
        finally:
            self.cut()

    def start_server(self) -> None:
        """Start the server and wait until it answers."""
        self.start("server", f"{PREFECT} server start --no-ui --port {self.port}")
        until(self.answers, every=0.5)

    def start_deploying(self) -> psutil.Popen:
        """Start to make the pool and the deployment, as the documentation says."""
        return self.start("deploy", DEPLOY)

    def start(self, name: str, command: str) -> psutil.Popen:
        """Start a command, whose output goes to the file NAME.log beside the checkout."""
        with self.log.with_name(f"{self.checkout.name}.{name}.log").open("ab") as log:
            return psutil.Popen(
                ["sh", "-c", command], cwd=self.checkout, stdout=log, stderr=log, start_new_session=True,
                env=environment(PREFECT_API_URL=self.url, **{MARK: str(self.checkout)}),
            )  # fmt: skip

    def read_log(self, name: str = "worker") -> str:
        """What a command has said so far."""
        return self.log.with_name(f"{self.checkout.name}.{name}.log").read_text(errors="replace")

    def schedule_run(self, **parameters: Any) -> None:
        """Schedule a run of the deployment for now."""
        deployment = self.ask("GET", "/deployments/name/pipeline/nightly")["id"]
        # Of two equal requests, of which the first seemed to fail, the server keeps one.
        asked = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "idempotency_key": uuid.uuid4().hex}
        self.ask("POST", f"/deployments/{deployment}/create_flow_run", asked)

    def list_runs(self) -> list[tuple[str, str]]:
        """Type and message of the state of each run that was asked for, the newest first."""
        runs = self.ask("POST", "/flow_runs/filter", {"sort": "EXPECTED_START_TIME_DESC"})
        return [(run["state"]["type"], run["state"]["message"] or "") for run in runs if not run["auto_scheduled"]]

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The server's answer, asked again while its database is busy, as Prefect's own client does."""
        while (answer := self.client.request(method, path, json=body)).status_code == BUSY:
            time.sleep(1)
        return answer.raise_for_status().json()

    def wait_for_runs(self) -> list[tuple[str, str]]:
        """Wait until every run that was asked for has ended; their states."""
        until(lambda: {kind for kind, _ in self.list_runs()} <= FINAL, every=0.5)
        return self.list_runs()

    def answers(self) -> bool:
        """Whether the server answers."""
        with suppress(httpx.HTTPError):
            return self.client.get("/health").is_success
        return False

    def cut(self) -> None:
        """Kill all that runs in the checkout at once: nobody can act on the death of another."""
        stopped: set[psutil.Process] = set()
        while new := set(survivors(self.checkout)) - stopped:
            for process in new:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            stopped |= new
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stopped)

    def wait_until_idle(self) -> None:
        """Wait until nothing runs but server and worker; fail where another process stays."""
        until(self.is_idle)

    def is_idle(self) -> bool:
        """Whether all processes of the checkout belong to the server or the worker."""
        try:
            commands = [" ".join(process.cmdline()).split() for process in survivors(self.checkout)]
        except psutil.NoSuchProcess:
            return False
        return all("server" in words or "worker" in words for words in commands)


def until(is_so: Callable[[], bool], every: float = 0.1) -> None:
    """Wait until something is so, asked every so many seconds."""
    end = time.monotonic() + MOST_SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(every)
