"""Deployments of one step each: batch prediction, and the weekly verification of what is kept."""

import sys
from pathlib import Path

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.command import run_command
from flows.lock import PIPELINE_LOCK, run_lock
from flows.slots import gpus
from flows.stage import error_of, write_error
from flows.telling import tell_and_log, told
from flows.tries import ONCE, Tries


@flow(name="predict", persist_result=False)
async def predict(
    inputs: list[Path],
    output: Path = Path("predictions"),
    model: str = "models:/fcn@champion",
    tries: Tries = ONCE,
) -> State[None]:
    """Write the label maps and overlays of pictures, videos and folders of them, with a model's folder or reference."""
    options = ["--model", model, "--output", str(output), "--", *map(str, inputs)]
    return await alone("predict", options, Path(".state/predict.lock"), tries)


@flow(name="verify", persist_result=False)
async def verify(data: Path = Path("data/prepared"), tries: Tries = ONCE) -> State[None]:
    """Compare the prepared data, DVC's cache and the registered models with the hashes they were kept under."""
    # With the pipeline's lock: a stage that ran meanwhile would take files away.
    return await alone("verify", ["--data", str(data)], PIPELINE_LOCK, tries)


async def alone(verb: str, options: list[str], lock: Path, tries: Tries) -> State[None]:
    """Run `pixelwise VERB OPTIONS` as a task, unless another run holds `lock`."""
    project = Path.cwd()
    with run_lock(project / lock) as is_ours:
        if not is_ours:
            return told("Skipped", f"skipped: busy, another run holds {lock}")
        async with gpus():
            step = run_step.with_options(task_run_name=verb, **tries.options())
            state = await step(verb, options, str(project), return_state=True)
    if not state.is_completed():
        return Failed(message=f"{verb}: {state.message or state.name}")
    return told("Completed", str(state.message))


@task(name="step", cache_policy=NO_CACHE, persist_result=False)
async def run_step(verb: str, options: list[str], project: str) -> State[None]:
    """One command of pixelwise; its output is in the run's log, and the first line of it is the state's message."""
    command = [sys.executable, "-m", "components.cli", verb, *options]
    outcome = await run_command(command, Path(project), {}, tell_and_log(), write_error)
    if outcome.status:
        return Failed(message=error_of(outcome))
    return Completed(message=next(iter(outcome.output), verb))
