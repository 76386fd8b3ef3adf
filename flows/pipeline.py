"""The pipeline flow: one task per stage of dvc.yaml, then the registry. Asynchronous: synchronous flows cost 1 s."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.dag import Stage, find_changed, find_stages, read_dag, select
from flows.dvc_stage import StageResult, read_result, reproduce
from flows.messages import complete, make_teller
from flows.parameters import require_params
from flows.release import release
from flows.run_lock import hold_run_lock
from flows.settings import prepare_dvc
from flows.slots import Slots, count_slots, hold_gpus
from flows.summary import count_states, format_markdown, read_scores
from flows.tries import ONCE, Tries
from pixelwise.errors import PixelwiseError

PIPELINE_LOCK = Path(".state/pipeline.lock")

RunningStage = asyncio.Task[tuple[StageResult, State]]


@flow(name="pipeline", persist_result=False)
async def pipeline(
    families: list[str] | None = None, targets: list[str] | None = None, promote: bool = True, tries: Tries = ONCE
) -> State[None]:
    """Bring every stage up to date, then register and promote each family's model.

    families: only these and the stages they need; default all. targets: only these stages and the stages they need,
    without registration. promote: False does not use the registry. tries: limits of each stage and action. Works in the
    current directory, as DVC does.
    """
    project = Path.cwd()
    async with hold_run_lock(project / PIPELINE_LOCK) as is_ours:
        if not is_ours:
            return complete("Skipped", f"skipped: busy, another run of the pipeline holds {PIPELINE_LOCK}")
        try:
            prepare_dvc(project)
            stages = choose(await asyncio.to_thread(read_dag, project), families, targets)
            results = await run_stages(stages, project, tries)
        except PixelwiseError as error:
            return Failed(message=str(error))
        actions: list[StageResult] = []
        if promote and not targets and not find_first_error(results):
            actions = await release(families, project, tries)
        await acreate_markdown_artifact(format_markdown(results, actions, read_scores(project)), key="pipeline")
        if failure := find_first_error([*results, *actions]):
            return Failed(message=failure)
        return complete("Completed", count_states([*results, *actions]))


def choose(stages: Sequence[Stage], families: list[str] | None, targets: list[str] | None) -> list[Stage]:
    """Return the stages to run: all, or the `targets` and the stages of the `families`, with all they need."""
    names = list(targets or [])
    for family in families or []:
        names += find_stages(stages, family)
    return select(stages, names) if names else list(stages)


async def run_stages(stages: Sequence[Stage], project: Path, tries: Tries) -> list[StageResult]:
    """Run the `stages`, independent branches concurrently; a stage starts after the stages it needs.

    Raises ParamsError, before a stage runs, where a parameter of a later stage or of the release is wrong.
    """
    slots = Slots(count_slots())
    running: dict[str, RunningStage] = {}

    async def run(group: Sequence[Stage], changed: set[str]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for stage in group:
                label = f"[{stages.index(stage) + 1}/{len(stages)}] {stage.name}"
                upstream = [running[name] for name in stage.needs]
                work = run_after(upstream, stage, stage.name in changed, label, project, slots, tries)
                running[stage.name] = tasks.create_task(work)

    first = [stage for stage in stages if stage.is_always_changed and not stage.needs]
    await run(first, {stage.name for stage in first})
    # After the first stages, since DVC compares their outputs with the recorded ones.
    changed = await asyncio.to_thread(find_changed, project, stages)
    await asyncio.to_thread(require_params, project, [stage.name for stage in stages], changed)
    await run([stage for stage in stages if stage not in first], changed)
    return [running[stage.name].result()[0] for stage in stages]


async def run_after(
    upstream: Sequence[RunningStage],
    stage: Stage,
    is_changed: bool,
    label: str,
    project: Path,
    slots: Slots,
    tries: Tries,
) -> tuple[StageResult, State]:
    """Wait for the `upstream` stages, then run the stage as a task in a slot; where one of them failed, do not run it.

    Where the stage and all it needs are unchanged, the task takes no slot and only reports `unchanged`.
    """
    needed = [await running for running in upstream]
    states = {result.state for result, _ in needed}
    if states & {"failed", "not run"}:
        result, state = StageResult(stage.name, "not run"), Failed()
    else:
        step = run_stage.with_options(task_run_name=stage.name, **tries.as_task_options())
        has_work = is_changed or bool(states - {"unchanged"})
        async with hold_slot(slots, stage.is_alone) if has_work else nullcontext():
            started = time.monotonic()
            state = await step(
                stage.name, label, str(project), has_work, wait_for=[s for _, s in needed], return_state=True
            )
            result = read_result(stage.name, state, time.monotonic() - started)
    print(f"{label} … {result}", flush=True)
    return result, state


@asynccontextmanager
async def hold_slot(slots: Slots, is_alone: bool) -> AsyncIterator[None]:
    """Hold a slot and the GPUs for one stage."""
    async with slots.take(is_alone), hold_gpus():
        yield


@task(name="stage", cache_policy=NO_CACHE, persist_result=False)
async def run_stage(name: str, label: str, project: str, has_work: bool) -> State[None]:
    """Run one stage with DVC. The state's name is the outcome, and the run's log has the stage's output."""
    if not has_work:
        return Completed(name="Unchanged", message=f"{name}: unchanged")
    result = await reproduce(
        name, Path(project), describe_run(), on_start=lambda: print(f"{label} …", flush=True), on_line=make_teller()
    )
    if result.state == "failed":
        return Failed(message=result.error)
    return Completed(name=result.state.capitalize(), message=f"{name}: {result.state}")


def describe_run() -> dict[str, str]:
    """Environment variable, under Prefect's own name, that tells a stage's processes the id of the flow run."""
    return {"PREFECT__FLOW_RUN_ID": str(flow_run.id)}


def find_first_error(results: Sequence[StageResult]) -> str | None:
    """Return `STAGE: error` of the first failed result, or None."""
    return next((f"{result.name}: {result.error}" for result in results if result.state == "failed"), None)
