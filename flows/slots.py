"""Limit how many stages run at once."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pixelwise.file_lock import lock

DEVICES = Path("/dev")
POLL_SECONDS = 0.5


def count_slots() -> int:
    """Number of slots: one with a GPU, whose memory one training fills; two on a CPU, to overlap reading and work."""
    return 1 if find_gpus() else 2


def find_gpus() -> list[Path]:
    """Device files of the GPUs that the stages may use: all, or those that CUDA_VISIBLE_DEVICES lists by number."""
    devices = sorted(DEVICES.glob("nvidia[0-9]*"))
    numbers = os.environ.get("CUDA_VISIBLE_DEVICES", "all").split(",")
    if numbers == [""]:
        return []
    # CUDA_VISIBLE_DEVICES may name a GPU by UUID, which does not give its device file.
    if not all(name.strip().isdigit() for name in numbers):
        return devices
    return [device for device in devices if device.name.removeprefix("nvidia") in map(str.strip, numbers)]


@asynccontextmanager
async def hold_gpus() -> AsyncIterator[None]:
    """Lock every GPU that the stages may use; wait while another run on this machine, of any checkout, holds one.

    The lock is on the device file, so the kernel frees it when its holder dies.
    """
    async with AsyncExitStack() as held:
        # In the order of their names, so that two runs that need several GPUs do not deadlock.
        for device in find_gpus():
            await held.enter_async_context(hold_gpu(device))
        yield


@asynccontextmanager
async def hold_gpu(device: Path) -> AsyncIterator[None]:
    """Lock one GPU by its device file."""
    with device.open("rb") as file:
        while not lock(file.fileno(), waits=False):
            await asyncio.sleep(POLL_SECONDS)
        yield


class Slots:
    """`count` slots, one for each running stage; a stage that must run alone takes all of them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.free = asyncio.Semaphore(count)
        self.turn = asyncio.Lock()

    @asynccontextmanager
    async def take(self, is_alone: bool) -> AsyncIterator[None]:
        """Hold one slot, or all of them."""
        count = 0
        try:
            # One stage takes slots at a time: two stages that need all slots could each hold half and deadlock.
            async with self.turn:
                while count < (self.count if is_alone else 1):
                    await self.free.acquire()
                    count += 1
            yield
        finally:
            for _ in range(count):
                self.free.release()
