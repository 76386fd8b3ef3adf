"""Serve the studio's page: in the foreground for a user, in a thread for tests and measurements."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.studio.app import create_app
from pixelwise.families.guided.studio.desk import Desk
from pixelwise.serving.listening import find_url, listen


def serve(guided: GuidedModel, model: Path, output: Path, host: str, port: int) -> None:
    """Serve until Ctrl+C. Raises ParamsError if the server cannot listen on the address."""
    listening = listen(host, port)
    print(f"studio: {find_url(listening)}/ on {guided.provider}; Ctrl+C stops it; saves to {output}", flush=True)
    make_server(guided, model, output).run(sockets=[listening])


@contextmanager
def serve_in_thread(guided: GuidedModel, model: Path, output: Path) -> Iterator[str]:
    """Serve a studio on a free port of loopback during the block; yield its address."""
    listening = listen("127.0.0.1", 0)
    server = make_server(guided, model, output)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"{find_url(listening)}/"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def make_server(guided: GuidedModel, model: Path, output: Path) -> uvicorn.Server:
    """Make a server over a new desk."""
    app = create_app(Desk(guided), output, model)
    return uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
