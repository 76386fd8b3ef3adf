"""Sessions: what a family keeps between the requests of one client, bounded in number, time and pixels."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from pixelwise.serving.limits import RefusalError, ServeParams, refuse_as_busy
from pixelwise.serving.models import Served


@dataclass(eq=False)
class Session:
    """One client's state.

    served: the model that the session began with; a new champion does not change it. pixels: of the pictures that
    `state` keeps. turn: held while a request changes `state`. used: when the last request came, on the monotonic clock.
    """

    served: Served
    state: Any
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    pixels: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    used: float = field(default_factory=time.monotonic)


class Sessions:
    """All sessions of a service, by id."""

    def __init__(self, params: ServeParams) -> None:
        self.params = params
        self.open: dict[str, Session] = {}

    def add(self, served: Served, state: Any) -> Session:
        """Open a session. Raises RefusalError 503 if there are as many as may be."""
        self.expire()
        if len(self.open) >= self.params.sessions:
            raise refuse_as_busy(f"full: {len(self.open)} sessions at a time")
        session = Session(served, state)
        self.open[session.id] = session
        return session

    def find(self, number: str) -> Session:
        """The session of this id, which is used now. Raises RefusalError 404 if there is none."""
        self.expire()
        if number not in self.open:
            idle = f"{self.params.session_seconds:g} seconds"
            raise RefusalError(404, f"session: unknown, closed, or ended after {idle} without a request; open another")
        session = self.open[number]
        session.used = time.monotonic()
        return session

    def keep(self, session: Session, pixels: int) -> None:
        """Note that `session` keeps `pixels` from now on. Raises RefusalError 503 if all sessions keep too many."""
        others = sum(other.pixels for other in self.open.values() if other is not session)
        if others + pixels > self.params.session_pixels:
            limit = f"{self.params.session_pixels:,} pixels"
            raise refuse_as_busy(f"sessions: {others + pixels:,} pixels, expected at most {limit} in all; close one")
        session.pixels = pixels

    def close(self, number: str) -> None:
        """Close a session. Raises RefusalError 404 if there is none of this id."""
        del self.open[self.find(number).id]

    def expire(self) -> None:
        """Close the sessions that no request used for long. A request that is being answered keeps its session."""
        until = time.monotonic() - self.params.session_seconds
        for session in list(self.open.values()):
            if session.used < until and not session.turn.locked():
                del self.open[session.id]

    async def expire_forever(self) -> None:
        """Close unused sessions in an endless loop, so that their memory is free although nobody asks."""
        while True:
            await asyncio.sleep(self.params.session_seconds / 10)
            self.expire()
