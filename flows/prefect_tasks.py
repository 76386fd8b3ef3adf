"""Run pixelwise commands as Prefect tasks, locally or on the workers of a Dask cluster.

The tasks are not in the flows' files: Prefect loads those under another module name, which Dask workers cannot import.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.command import run_command
from flows.dvc_stage import find_error, write_error
from flows.messages import make_teller
from flows.slots import hold_gpus
from flows.tries import Tries


async def run_commands(commands: Mapping[str, list[str]], tries: Tries) -> dict[str, State]:
    """Run the commands locally, one after the other; return the state of each by name."""
    states = {}
    for name, command in commands.items():
        step = run_pixelwise.with_options(task_run_name=name, **tries.as_task_options())
        states[name] = await step(command, str(Path.cwd()), return_state=True)
    return states


async def run_on_dask(address: str, commands: Mapping[str, list[str]], tries: Tries) -> dict[str, State]:
    """Run the commands on the workers of the Dask scheduler at `address`; return the state of each by name."""
    from prefect_dask import DaskTaskRunner

    project = str(Path.cwd())

    @flow(name="on-dask", task_runner=DaskTaskRunner(address=address), persist_result=False)
    async def run_all() -> dict[str, State]:
        futures = {
            name: run_pixelwise.with_options(task_run_name=name, **tries.as_task_options()).submit(command, project)
            for name, command in commands.items()
        }
        for future in futures.values():
            # In a thread, since `wait` blocks and Prefect must keep sending heartbeats and logs.
            await asyncio.to_thread(future.wait)
        return {name: future.state for name, future in futures.items()}

    return await run_all()


@task(name="step", cache_policy=NO_CACHE, persist_result=False)
async def run_pixelwise(command: list[str], project: str) -> State[None]:
    """Run one pixelwise command. Its output goes to the run's log; its first line is the state's message."""
    async with hold_gpus():
        python = [sys.executable, "-m", "pixelwise.cli", *command]
        outcome = await run_command(python, Path(project), {}, make_teller(), write_error)
    if outcome.status:
        return Failed(message=find_error(outcome))
    return Completed(message=next(iter(outcome.output), command[0]))
