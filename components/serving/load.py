"""Load a server of its own beyond what it can do, change the champion meanwhile, and write down what happened.

    python -m components.serving.load --model models/fcn --seconds 120 --out load.json

From this process, over loopback: requests leave at their own times, whether or not earlier ones were answered.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
from PIL import Image
from pydantic import Field, PositiveFloat, PositiveInt

from components import step
from components.errors import ModelError
from components.files import write_json
from components.params import Params
from components.serving.two_releases import Releases, release_twice

# Far more than it takes, except where others have the cores.
READY_SECONDS = 900.0
# The server's own limits on a request; a client that waits less would call slow what is refused in time.
CLIENT_SECONDS = 30.0
# Memory is compared after the first tenth, when every batch size has been seen.
WARM_SHARE = 0.1
MEMORY = "process_resident_memory_bytes"


class LoadParams(Params):
    """No section; options only."""

    seconds: PositiveFloat = Field(120.0, description="how long the load is held")
    times: PositiveFloat = Field(4.0, description="the load as a multiple of the capacity")
    capacity_seconds: PositiveFloat = Field(15.0, description="how long the capacity is measured")
    clients: PositiveInt = Field(16, description="clients that ask one after the other while the capacity is measured")
    width: PositiveInt = Field(480, description="of the pictures")
    height: PositiveInt = Field(360, description="of the pictures")
    seed: int = Field(0, description="of the pictures and of the times between requests")


@dataclass
class Tally:
    """What became of requests. seconds: from when each was due to its end, by status; failures: by error."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)

    async def ask(self, client: httpx.AsyncClient, content: bytes, due: float) -> None:
        """Send one picture and note what came of it."""
        try:
            answer = await client.post("/predict", content=content, headers={"Content-Type": "image/jpeg"})
        except httpx.HTTPError as error:
            self.failures[type(error).__name__] += 1
            return
        self.seconds.setdefault(answer.status_code, []).append(time.perf_counter() - due)
        if answer.status_code == 200:
            self.versions[answer.headers["X-Pixelwise-Version"]] += 1

    def summary(self) -> dict[str, Any]:
        """Counts by status, and milliseconds of those that were answered and of all."""
        everything = [second for seconds in self.seconds.values() for second in seconds]
        return {
            "requests": len(everything) + self.failures.total(),
            "by_status": {str(status): len(seconds) for status, seconds in sorted(self.seconds.items())},
            "failures": dict(self.failures),
            "answered_by_version": dict(sorted(self.versions.items())),
            "milliseconds_of_200": percentiles(self.seconds.get(200, [])),
            "milliseconds_of_all": percentiles(everything),
        }


@dataclass(frozen=True)
class LoadReport:
    """What was measured, and where it stands."""

    out: Path
    result: dict[str, Any]

    def __str__(self) -> str:
        load, memory = self.result["load"], self.result["memory_mebibytes"]
        return (
            f"capacity {self.result['capacity_per_second']:.1f} requests a second; "
            f"held {self.result['offered_per_second']:.1f} for {self.result['seconds']:.0f} s\n"
            f"by status {load['by_status']}, failures {load['failures'] or 'none'}, "
            f"by version {load['answered_by_version']}\n"
            f"200: p50 {load['milliseconds_of_200']['p50']:.0f} ms, p99 {load['milliseconds_of_200']['p99']:.0f} ms; "
            f"memory {memory['warm']:.0f} MiB warm, {memory['end']:.0f} at the end\n{self.out}"
        )


def run(
    params: LoadParams,
    model: Annotated[Path, "folder of an exported model of one graph"],
    out: Annotated[Path, "JSON file to write"],
) -> LoadReport:
    """Measure the capacity of `pixelwise serve`, offer a multiple of it, and change the champion halfway.

    Raises ModelError where the server does not start or answers nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        releases = release_twice(model, Path(folder))
        server, address = start_server(releases, Path(folder) / "server.log")
        try:
            result = asyncio.run(measure(params, address, releases))
        finally:
            server.terminate()
            status = server.wait(READY_SECONDS)
    result = {"params": params.model_dump(), **result, "exit_status_after_sigterm": status}
    write_json(out, result)
    return LoadReport(out, result)


def start_server(releases: Releases, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start `pixelwise serve` on a free port; the process and its address. Raises ModelError where it ends at once."""
    command = [sys.executable, "-m", "components.serve", releases.reference, "--tracking", releases.store]
    options = ["--port", "0", "--device", "cpu", "--poll-seconds", "1"]
    with log.open("wb") as file:
        server = subprocess.Popen([*command, *options], stderr=file, stdout=file, env=os.environ)
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and server.poll() is None:
        if "serving " in (said := log.read_text()):
            return server, said.partition(" at ")[2].split()[0]
        time.sleep(0.1)
    server.kill()
    raise ModelError(f"server: did not start: {' '.join(log.read_text().split())}")


async def measure(params: LoadParams, address: str, releases: Releases) -> dict[str, Any]:
    """The capacity, then the load."""
    contents = pictures(params)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=CLIENT_SECONDS, limits=limits) as client:
        while (await client.get("/health")).status_code != 200:
            await asyncio.sleep(0.1)
        capacity = await closed_loop(params, client, contents)
        async with memory_of(client) as memory:
            change = asyncio.create_task(change_champion(releases, params.seconds / 2))
            tally = await open_loop(params, client, contents, params.times * capacity)
            await change
        health = (await client.get("/health")).json()
    warm = memory[int(WARM_SHARE * len(memory))]
    return {
        "capacity_per_second": capacity,
        "offered_per_second": params.times * capacity,
        "seconds": params.seconds,
        "load": tally.summary(),
        "memory_mebibytes": {"start": memory[0], "warm": warm, "end": memory[-1], "most": max(memory)},
        "health_at_the_end": health,
        "load_average": os.getloadavg()[0],
    }


async def closed_loop(params: LoadParams, client: httpx.AsyncClient, contents: Sequence[bytes]) -> float:
    """Answered requests a second while some clients ask, each again as soon as it was answered.

    Raises ModelError where none was.
    """
    tally = Tally()
    until = time.perf_counter() + params.capacity_seconds

    async def ask_on(number: int) -> None:
        while (now := time.perf_counter()) < until:
            await tally.ask(client, contents[number % len(contents)], now)

    began = time.perf_counter()
    await asyncio.gather(*(ask_on(number) for number in range(params.clients)))
    if 200 not in tally.seconds:
        raise ModelError(f"server: answered nothing in {params.capacity_seconds:g} seconds: {tally.summary()}")
    return len(tally.seconds[200]) / (time.perf_counter() - began)


async def open_loop(params: LoadParams, client: httpx.AsyncClient, contents: Sequence[bytes], rate: float) -> Tally:
    """Requests that leave at random, `rate` a second on average, for as long as asked."""
    tally, rng = Tally(), np.random.default_rng(params.seed)
    asked: list[asyncio.Task[None]] = []
    due = began = time.perf_counter()
    while due < began + params.seconds:
        await asyncio.sleep(due - time.perf_counter())
        asked.append(asyncio.create_task(tally.ask(client, contents[len(asked) % len(contents)], due)))
        due += rng.exponential(1 / rate)
    await asyncio.gather(*asked)
    return tally


async def change_champion(releases: Releases, after: float) -> None:
    """Let the alias name the other version."""
    await asyncio.sleep(after)
    await asyncio.to_thread(releases.promote)


@asynccontextmanager
async def memory_of(client: httpx.AsyncClient) -> AsyncIterator[list[float]]:
    """The server's resident MiB once a second while the block runs, and once after it."""
    found: list[float] = []

    async def look() -> None:
        lines = (await client.get("/metrics")).text.splitlines()
        found.extend(float(line.split()[1]) / 2**20 for line in lines if line.startswith(f"{MEMORY} "))

    async def look_on() -> None:
        while True:
            await look()
            await asyncio.sleep(1)

    await look()
    task = asyncio.create_task(look_on())
    try:
        yield found
    finally:
        task.cancel()
    await look()


def pictures(params: LoadParams) -> list[bytes]:
    """Eight pictures of seeded blocks, as JPEG."""
    rng = np.random.default_rng(params.seed)
    shape = (8, params.height // 16 + 1, params.width // 16 + 1, 3)
    blocks = rng.integers(0, 256, shape, dtype=np.uint8).repeat(16, axis=1).repeat(16, axis=2)
    return [jpeg(image) for image in blocks[:, : params.height, : params.width]]


def jpeg(image: np.ndarray) -> bytes:
    """The picture (H, W, 3) as JPEG."""
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90)
    return file.getvalue()


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Milliseconds that half and 99 % of the requests took at most; None where there were none."""
    if not seconds:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(np.array(seconds) * 1000, [50, 99]).tolist()
    return {"p50": p50, "p99": p99}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the load from the command line."""
    step.main(run, argv=argv)


if __name__ == "__main__":
    main()
