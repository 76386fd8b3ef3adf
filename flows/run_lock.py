"""A lock that one flow run of the checkout holds at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flows.dead_runs import end_dead_runs
from pixelwise.file_lock import hold_lock


@asynccontextmanager
async def hold_run_lock(path: Path) -> AsyncIterator[bool]:
    """Hold the lock `path` during the block of a flow. Yields False if another run holds it.

    First ends the runs that a power cut left, so that this is done even where another run works.
    """
    await end_dead_runs(Path.cwd())
    with hold_lock(path, waits=False) as is_ours:
        yield is_ours
