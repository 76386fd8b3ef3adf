"""Runs that a kill or a power cut left: Prefect would show them as running or pending for ever.

Each run locks a file of its own, which the kernel frees when the process dies. The next run ends those whose file is
free.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas import filters
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment, flow_run
from prefect.states import Crashed

from pixelwise.file_lock import lock

RUNS = Path(".state/runs")
# A worker takes a run as pending and starts its process, which takes seconds, and longer on a busy machine.
PENDING_LIMIT = timedelta(minutes=5)
# Open until this process ends: only then has Prefect the final state of its runs.
LOCKED: list[TextIO] = []


async def end_dead_runs(project: Path) -> None:
    """Record this flow run as alive, then set the state of the dead runs of `project` to crashed."""
    record_alive(project / RUNS, str(flow_run.id))
    async with get_client() as client:
        for file in (project / RUNS).glob("[!.]*"):
            with file.open() as record:
                if lock(record.fileno(), waits=False):
                    await end_run(client, UUID(file.name), "its process was killed; the next run goes on from there")
                    file.unlink(missing_ok=True)
        for run in await find_stuck_runs(client):
            await end_run(client, run, f"pending for more than {PENDING_LIMIT}: its process was never started")


def record_alive(folder: Path, run: str) -> None:
    """Lock the file of a run in `folder` until this process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    # Renamed when it is locked, since nobody may find it free before.
    new = folder / f".{run}"
    LOCKED.append(new.open("w"))
    lock(LOCKED[-1].fileno())
    new.rename(folder / run)


async def find_stuck_runs(client: PrefectClient) -> list[UUID]:
    """The runs of this run's deployment that have been pending for longer than PENDING_LIMIT; none without one."""
    if deployment.id is None:
        return []
    pending = filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=[StateType.PENDING]))
    ours = filters.FlowRunFilterDeploymentId(any_=[UUID(deployment.id)])
    runs = await client.read_flow_runs(flow_run_filter=filters.FlowRunFilter(deployment_id=ours, state=pending))
    oldest = datetime.now(UTC) - PENDING_LIMIT
    return [run.id for run in runs if run.state and run.state.timestamp < oldest]


async def end_run(client: PrefectClient, run: UUID, message: str) -> None:
    """Set the state of a flow run to crashed, unless it has ended or this server never had it."""
    try:
        state = (await client.read_flow_run(run)).state
    except ObjectNotFound:
        return
    if state is None or not state.is_final():
        await client.set_flow_run_state(run, Crashed(message=message), force=True)
