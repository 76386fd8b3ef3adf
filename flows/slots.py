"""How many stages may run at once."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

GPU_DEVICE = Path("/dev/nvidia0")


def default_slots() -> int:
    """One on a GPU, whose memory one training fills; two on a CPU, so that reading and computing overlap."""
    is_hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return 1 if GPU_DEVICE.exists() and not is_hidden else 2


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
