"""Serve the studio's page: in the foreground for a person, in a thread for tests and measurements."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.session import GuidedModel
from pixelwise.studio.app import create_app
from pixelwise.studio.desk import Desk


def serve(guided: GuidedModel, model: Path, output: Path, host: str, port: int) -> None:
    """Serve until Ctrl+C. Raises DataError where the address cannot be listened on."""
    listening = listen(host, port)
    print(f"studio: {address_of(listening)} on {guided.provider}; Ctrl+C stops it; saves to {output}", flush=True)
    server_of(guided, model, output).run(sockets=[listening])


@contextmanager
def served(guided: GuidedModel, model: Path, output: Path) -> Iterator[str]:
    """The address of a studio on a free port of loopback, while the block lasts."""
    listening = listen("127.0.0.1", 0)
    server = server_of(guided, model, output)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield address_of(listening)
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def server_of(guided: GuidedModel, model: Path, output: Path) -> uvicorn.Server:
    """A server over a new desk."""
    app = create_app(Desk(guided), output, model)
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises DataError where the address is taken or not this machine's."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise DataError(f"{host}:{port}: {(error.strerror or str(error)).lower()}, expected another --port") from None


def address_of(listening: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
