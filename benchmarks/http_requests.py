"""Send requests to a server and count their outcomes."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from pixelwise.data.image_codec import encode_picture
from pixelwise.errors import ModelError
from pixelwise.timing import measure_spread

# The server ends a request within 10 seconds. After this time the client gives up and counts the request as cut.
CLIENT_SECONDS = 30.0
BLOCK = 16
# Sends the next request of a client, which has a number.
Send = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


@dataclass
class Tally:
    """Outcomes of requests.

    seconds: from the time when each was due to its answer, by status. failed: number of requests without an answer, by
    error. cut: number of requests on which the client gave up, by error. versions: answers 200 by model version.
    """

    seconds: dict[int, list[float]] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)

    async def ask(self, client: httpx.AsyncClient, send: Send, who: int, due: float) -> None:
        """Send the next request of client number `who` and count the outcome."""
        try:
            answer = await send(client, who)
        except httpx.TimeoutException as error:
            self.cut[type(error).__name__] += 1
        except httpx.TransportError as error:
            self.failed[type(error).__name__] += 1
        else:
            self.seconds.setdefault(answer.status_code, []).append(time.perf_counter() - due)
            if answer.status_code == 200:
                self.versions[answer.headers["X-Pixelwise-Version"]] += 1

    def summary(self) -> dict[str, Any]:
        """Return the counts, and the milliseconds of requests answered with 200 and of all answered requests."""
        everything = [second for seconds in self.seconds.values() for second in seconds]
        return {
            "requests": len(everything) + self.failed.total() + self.cut.total(),
            "by_status": {str(status): len(seconds) for status, seconds in sorted(self.seconds.items())},
            "failed": dict(self.failed),
            "cut": dict(self.cut),
            "answered_by_version": dict(sorted(self.versions.items())),
            "milliseconds_of_200": compute_percentiles(self.seconds.get(200, [])),
            "milliseconds_of_all": compute_percentiles(everything),
        }


def make_client(address: str, seconds: float = CLIENT_SECONDS) -> httpx.AsyncClient:
    """Make a client that opens another connection whenever all are busy; each network operation has `seconds`."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=address, timeout=seconds, limits=limits)


async def measure_closed_loop(client: httpx.AsyncClient, send: Send, clients: int, seconds: float) -> float:
    """Measure the requests answered with 200 per second while each client sends the next one after each answer.

    Raises ModelError where no request was answered with 200.
    """
    tally, began = Tally(), time.perf_counter()

    async def ask_on(number: int) -> None:
        while (now := time.perf_counter()) < began + seconds:
            await tally.ask(client, send, number, now)

    await asyncio.gather(*(ask_on(number) for number in range(clients)))
    if 200 not in tally.seconds:
        raise ModelError(f"server: answered nothing in {seconds:g} seconds: {tally.summary()}")
    return len(tally.seconds[200]) / (time.perf_counter() - began)


async def open_loop(
    client: httpx.AsyncClient, send: Send, clients: int, rate: float, seconds: float, seed: int, tally: Tally
) -> None:
    """Send requests at random times, `rate` per second on average, for `seconds`; return after the last answer.

    Each is of a random one of `clients`.
    """
    rng = np.random.default_rng(seed)
    due = began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        while due < began + seconds:
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(tally.ask(client, send, int(rng.integers(clients)), due))
            due += rng.exponential(1 / rate)


def pictures(seed: int, height: int, width: int) -> list[bytes]:
    """Make eight JPEG pictures of random blocks, from a seed."""
    rng = np.random.default_rng(seed)
    shape = (8, height // BLOCK + 1, width // BLOCK + 1, 3)
    blocks = rng.integers(0, 256, shape, dtype=np.uint8).repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)
    return [encode_picture(image, "JPEG", quality=90) for image in blocks[:, :height, :width]]


def compute_percentiles(seconds: Sequence[float]) -> dict[str, int]:
    """Median, 10th, 90th and 99th percentile in milliseconds; empty where `seconds` is empty."""
    if not seconds:
        return {}
    found = measure_spread(seconds).as_json() | {"p99": float(np.percentile(seconds, 99))}
    return {name: round(1000 * value) for name, value in found.items()}
