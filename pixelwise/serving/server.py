"""Listen, and stop without losing what was accepted."""

import asyncio
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from pixelwise.serving.app import Service, create_app
from pixelwise.serving.listening import find_url, is_loopback

KEPT_SECONDS = 75
STOP = (signal.SIGINT, signal.SIGTERM)


class Server(uvicorn.Server):
    """uvicorn, but told to stop it answers what is in the house, refuses what is new with 503, and ends well."""

    def __init__(self, service: Service) -> None:
        self.service = service
        super().__init__(
            uvicorn.Config(
                create_app(service),
                log_level="warning",
                access_log=False,
                # No limit_concurrency: beyond it uvicorn closes connections under bodies that are on their way, and
                # clients see a reset instead of a refusal. The house has its own limit.
                # Longer than clients keep a connection: closed under a request on its way, it would lose that request.
                timeout_keep_alive=KEPT_SECONDS,
                # Every request has a time limit; what is left then is a client that does not take its answer.
                timeout_graceful_shutdown=max(1, round(service.params.timeout_seconds)),
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGINT and SIGTERM drain. uvicorn would stop listening at once and end as if killed."""
        if threading.current_thread() is threading.main_thread():
            for number in STOP:
                asyncio.get_running_loop().add_signal_handler(number, self.drain)
        yield

    def drain(self) -> None:
        """Refuse what is new from now on, and end when the house is empty."""
        self.service.is_draining = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to end; asked ten times a second."""
        if self.service.is_draining and not self.service.admitted:
            self.should_exit = True
        return await super().on_tick(counter)


def describe_address(listener: socket.socket) -> str:
    """The address to type, and what it means for who can ask."""
    means = (
        "only this machine can ask"
        if is_loopback(listener.getsockname()[0])
        else "whoever reaches this machine can ask, without password or encryption: put a proxy in front"
    )
    return f"{find_url(listener)} ({means})"
