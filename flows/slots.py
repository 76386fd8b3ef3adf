"""How many stages may run at once."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pixelwise.file_lock import lock

DEVICES = Path("/dev")
POLL_SECONDS = 0.5


def count_slots() -> int:
    """One on a GPU, whose memory one training fills; two on a CPU, so that reading and computing overlap."""
    return 1 if find_gpus() else 2


def find_gpus() -> list[Path]:
    """The device files of the GPUs that what we start may use: all, or those that CUDA_VISIBLE_DEVICES numbers."""
    found = sorted(DEVICES.glob("nvidia[0-9]*"))
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "all").split(",")
    if named == [""]:
        return []
    # A GPU may be named by its UUID too, which does not say which file is its.
    if not all(name.strip().isdigit() for name in named):
        return found
    return [device for device in found if device.name.removeprefix("nvidia") in map(str.strip, named)]


@asynccontextmanager
async def hold_gpus() -> AsyncIterator[None]:
    """Hold every GPU that we may use; waits while another run on this machine, of whichever checkout, holds one.

    The lock is on the device's own file, so the kernel frees it when its holder dies.
    """
    async with AsyncExitStack() as held:
        # In the order of their names, so that two that want several never wait for each other.
        for device in find_gpus():
            await held.enter_async_context(hold_gpu(device))
        yield


@asynccontextmanager
async def hold_gpu(device: Path) -> AsyncIterator[None]:
    """Hold one GPU."""
    with device.open("rb") as file:
        while not lock(file.fileno(), waits=False):
            await asyncio.sleep(POLL_SECONDS)
        yield


class Slots:
    """At most `count` stages at once; a stage that must be alone takes every slot."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.free = asyncio.Semaphore(count)
        self.turn = asyncio.Lock()

    @asynccontextmanager
    async def take(self, is_alone: bool) -> AsyncIterator[None]:
        """Hold one slot, or all of them."""
        taken = 0
        try:
            # One taker at a time: two that want every slot would each hold half and wait for ever.
            async with self.turn:
                while taken < (self.count if is_alone else 1):
                    await self.free.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self.free.release()
