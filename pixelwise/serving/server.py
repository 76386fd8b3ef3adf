"""Listen for requests, and stop without losing an accepted one."""

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from pixelwise.serving.app import create_app
from pixelwise.serving.listening import find_url, is_loopback
from pixelwise.serving.service import Service

KEPT_SECONDS = 75
STOP = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """uvicorn with a graceful stop: it answers accepted requests, refuses new ones with 503, and ends with status 0."""

    def __init__(self, service: Service) -> None:
        self.service = service
        super().__init__(
            uvicorn.Config(
                create_app(service),
                log_level="warning",
                access_log=False,
                # No limit_concurrency: beyond it uvicorn closes connections while bodies are being sent, and
                # clients see a reset instead of a refusal. Request slots are the limit.
                # Longer than clients keep a connection: closing it earlier would lose a request that is being sent.
                timeout_keep_alive=KEPT_SECONDS,
                # Every request has a time limit; after it, only a client that does not read its answer remains.
                timeout_graceful_shutdown=max(1, round(service.params.timeout_seconds)),
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Make SIGINT and SIGTERM drain the server. uvicorn alone would stop listening at once and end as if killed."""
        if threading.current_thread() is threading.main_thread():
            for number in STOP:
                asyncio.get_running_loop().add_signal_handler(number, self.drain)
        yield

    def drain(self) -> None:
        """Refuse new requests from now on, and end when no request slot is taken."""
        self.service.is_draining = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; uvicorn calls it ten times a second."""
        if self.service.is_draining and not self.service.admitted:
            self.should_exit = True
        return await super().on_tick(counter)


def describe_address(listener: socket.socket) -> str:
    """The address to type, and who can reach it."""
    means = (
        "only this machine can ask"
        if is_loopback(listener.getsockname()[0])
        else "whoever reaches this machine can ask, without password or encryption: put a proxy in front"
    )
    return f"{find_url(listener)} ({means})"
