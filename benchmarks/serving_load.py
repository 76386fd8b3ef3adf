"""Start a server, load it beyond its capacity, change the champion meanwhile, and record the outcomes.

    python -m benchmarks.serving_load --model models/fcn --seconds 120 --out load.json
    python -m benchmarks.serving_load --model models/clockwork --requests frames --out frames.json
    python -m benchmarks.serving_load --model models/guided --requests guidance --out guidance.json

This process sends the requests over loopback, at random times that do not depend on earlier answers.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from benchmarks.http_requests import Tally, make_client, measure_closed_loop, open_loop, pictures
from benchmarks.request_kinds import KINDS
from benchmarks.two_releases import Releases, release_twice
from pixelwise import command
from pixelwise.errors import ModelError
from pixelwise.files import write_json
from pixelwise.params import Params
from pixelwise.timing import describe_machine

# Far more than a start takes, for machines whose cores are busy.
READY_SECONDS = 900.0
# Memory is compared after this share of the load: by then every batch size has occurred.
WARM_SHARE = 0.1


class LoadParams(Params):
    """No section; options only."""

    requests: Literal["pictures", "frames", "guidance"] = Field(
        "pictures", description="pictures, frames of sessions, or pictures with a mask of another"
    )
    seconds: PositiveFloat = Field(120.0, description="duration of the load")
    times: PositiveFloat = Field(4.0, description="load as a multiple of the capacity")
    capacity_seconds: PositiveFloat = Field(15.0, description="duration of the measurement of the capacity")
    clients: PositiveInt = Field(16, description="concurrent clients while the capacity is measured")
    width: PositiveInt = Field(480, description="width of the pictures")
    height: PositiveInt = Field(360, description="height of the pictures")
    seed: int = Field(0, description="seed of the pictures and of the times between requests")


@dataclass(frozen=True)
class LoadReport:
    """The measured `result`, and the file `out` that holds it."""

    out: Path
    result: dict[str, Any]

    def __str__(self) -> str:
        load, seconds = self.result["load"], self.result["params"]["seconds"]
        return (
            f"{self.result['machine']}\n"
            f"capacity {self.result['capacity_per_second']:.1f} requests a second; "
            f"held {load['requests'] / seconds:.1f} for {seconds:g} s\n"
            f"by status {load['by_status']}, by version {load['answered_by_version']}\n"
            f"failed {load['failed'] or 'none'}, cut by this client {load['cut'] or 'none'}\n"
            f"milliseconds of 200 {load['milliseconds_of_200']}, of all {load['milliseconds_of_all']}\n"
            f"resident MiB {self.result['memory_mebibytes']}\n{self.out}"
        )


def run(
    params: LoadParams,
    model: Annotated[Path, "folder of an exported model that takes these requests"],
    out: Annotated[Path, "JSON file to write"],
) -> LoadReport:
    """Measure the capacity of `pixelwise serve`, send a multiple of it, and change the champion halfway. Linux only.

    Raises ModelError where the server does not start or answers no request.
    """
    with tempfile.TemporaryDirectory() as folder:
        releases, log = release_twice(model, Path(folder)), Path(folder) / "server.log"
        server, address = start_server(releases, log)
        try:
            result = asyncio.run(measure(params, address, server.pid, releases))
        finally:
            server.terminate()
            status = server.wait(READY_SECONDS)
        said = {"exit_status_after_sigterm": status, "server_said": log.read_text().splitlines()}
    result = {"machine": describe_machine(), "params": params.model_dump(), **result, **said}
    write_json(out, result)
    return LoadReport(out, result)


def start_server(releases: Releases, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start `pixelwise serve` on a free port; return the process and its address. Raises ModelError if it fails."""
    command = [sys.executable, "-m", "pixelwise.tools.serve", releases.reference, "--tracking", releases.store]
    options = ["--port", "0", "--device", "cpu", "--poll-seconds", "1", "--sessions", "999", "--session-seconds", "5"]
    with log.open("wb") as file:
        server = subprocess.Popen([*command, *options], stderr=file, stdout=file)
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and server.poll() is None:
        if "serving " in (said := log.read_text()):
            return server, said.partition(" at ")[2].split()[0]
        time.sleep(0.1)
    server.kill()
    raise ModelError(f"server: did not start: {' '.join(log.read_text().split())}")


async def measure(params: LoadParams, address: str, server: int, releases: Releases) -> dict[str, Any]:
    """Measure the capacity, then put the load on the server, whose process id is `server`."""
    tally, clients = Tally(), params.clients
    send = KINDS[params.requests](pictures(params.seed, params.height, params.width))
    async with make_client(address) as client:
        capacity = await measure_closed_loop(client, send, clients, params.capacity_seconds)
        watching = asyncio.create_task(watch_memory(server, params.seconds))
        changing = asyncio.create_task(change_champion(releases, params.seconds / 2))
        await open_loop(client, send, clients, params.times * capacity, params.seconds, params.seed, tally)
        await changing
        memory = await watching
        health = (await client.get("/health")).json()
    return {
        "capacity_per_second": capacity,
        "load": tally.summary(),
        "memory_mebibytes": summarise_memory(memory),
        "health_at_the_end": health,
        "load_average": os.getloadavg()[0],
    }


async def change_champion(releases: Releases, after: float) -> None:
    """Move the alias `champion` to the second version `after` seconds."""
    await asyncio.sleep(after)
    await asyncio.to_thread(releases.promote)


async def watch_memory(process: int, seconds: float) -> list[float]:
    """Sample the resident MiB of a process a hundred times over `seconds`."""
    found = []
    for _ in range(100):
        await asyncio.sleep(seconds / 100)
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        found.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
    return found


def summarise_memory(memory: Sequence[float]) -> dict[str, int]:
    """Mean memory over a tenth of the samples when warm, at half time (before the champion changes) and at the end.

    most: the largest sample. All in MiB.
    """
    tenth = int(WARM_SHARE * len(memory))
    half = len(memory) // 2
    parts = {"warm": memory[tenth : 2 * tenth], "half": memory[half - tenth : half], "end": memory[-tenth:]}
    return {name: round(sum(part) / tenth) for name, part in parts.items()} | {"most": round(max(memory))}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
