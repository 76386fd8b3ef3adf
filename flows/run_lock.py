"""A lock that one flow run of the checkout holds at a time, and that tells Prefect of a holder that was killed."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Crashed

from pixelwise.file_lock import hold_lock

UUIDS = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@asynccontextmanager
async def hold_run_lock(path: Path) -> AsyncIterator[bool]:
    """Hold the lock `path` during the block of a flow. Yields False if another run holds it.

    The file names the runs that hold it. After a power cut Prefect would show them as running for ever, so the next
    holder ends them as crashed.
    """
    with hold_lock(path, waits=False) as is_ours:
        if not is_ours:
            yield False
            return
        # A power cut may leave any bytes.
        for run in UUIDS.findall(path.read_bytes()):
            await end_dead_run(UUID(run.decode()))
        # The second is the flow that called this one, if any.
        path.write_text("\n".join({str(flow_run.id), str(flow_run.root_flow_run_id)}))
        try:
            yield True
        finally:
            path.write_text("")


async def end_dead_run(run: UUID) -> None:
    """Set the state of a flow run to crashed, unless it has ended or this server never had it."""
    async with get_client() as client:
        try:
            state = (await client.read_flow_run(run)).state
        except ObjectNotFound:
            return
        if state is None or not state.is_final():
            message = "its process was killed; the run that holds the lock now goes on from there"
            await client.set_flow_run_state(run, Crashed(message=message), force=True)
