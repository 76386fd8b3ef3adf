"""Serve the studio's page: in the foreground for a user, in a thread for tests and measurements."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from pixelwise.families.guided.studio.app import create_app
from pixelwise.families.guided.studio.correction import Correction
from pixelwise.families.guided.studio.desk import Desk
from pixelwise.serving.listening import find_url, listen


def serve(desk: Desk | Correction, provider: str, model: Path, output: Path, host: str, port: int) -> None:
    """Serve until Ctrl+C. Raises ParamsError if the server cannot listen on the address."""
    listening = listen(host, port)
    print(f"studio: {find_url(listening)}/ on {provider}; Ctrl+C stops it; saves to {output}", flush=True)
    make_server(desk, model, output).run(sockets=[listening])


@contextmanager
def serve_in_thread(desk: Desk | Correction, model: Path, output: Path) -> Iterator[str]:
    """Serve a studio on a free port of loopback during the block; yield its address."""
    listening = listen("127.0.0.1", 0)
    server = make_server(desk, model, output)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"{find_url(listening)}/"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def make_server(desk: Desk | Correction, model: Path, output: Path) -> uvicorn.Server:
    """Make a server over a desk."""
    app = create_app(desk, output, model)
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
