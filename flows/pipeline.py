"""The flow: every stage of dvc.yaml as one task, then the registry. Asynchronous: synchronous flows wait a second."""

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

from flows.dag import Stage, read_dag, select, stages_of
from flows.dvc_stage import StageResult, reproduce, result_of
from flows.messages import tell_and_log, told
from flows.release import release
from flows.settings import prepare_dvc
from flows.slots import Slots, default_slots, gpus
from flows.summary import count_states, markdown, read_scores
from flows.tries import ONCE, Tries
from pixelwise.errors import PixelwiseError
from pixelwise.file_lock import hold_lock

PIPELINE_LOCK = Path(".state/pipeline.lock")


@flow(name="pipeline", persist_result=False)
async def pipeline(
    families: list[str] | None = None, targets: list[str] | None = None, promote: bool = True, tries: Tries = ONCE
) -> State[None]:
    """Bring every stage up to date, then register and promote each family's model.

    families: only these, with what they need; default all. targets: only these stages, with what they need, and no
    registration. promote: False leaves the registry alone. tries: of each stage and action. Works in the current
    directory, as DVC does.
    """
    project = Path.cwd()
    with hold_lock(project / PIPELINE_LOCK, waits=False) as is_ours:
        if not is_ours:
            return told("Skipped", f"skipped: busy, another run of the pipeline holds {PIPELINE_LOCK}")
        try:
            prepare_dvc(project)
            stages = chosen(await asyncio.to_thread(read_dag, project), families, targets)
        except PixelwiseError as error:
            return Failed(message=str(error))
        results = await walk(stages, project, tries)
        actions: list[StageResult] = []
        if promote and not targets and not first_error(results):
            actions = await release(families, project, tries)
        await acreate_markdown_artifact(markdown(results, actions, read_scores(project)), key="pipeline")
        if failure := first_error([*results, *actions]):
            return Failed(message=failure)
        return told("Completed", count_states([*results, *actions]))


def chosen(stages: Sequence[Stage], families: list[str] | None, targets: list[str] | None) -> list[Stage]:
    """The stages to walk: all of them, or those named and those of the families named, with all they need."""
    named = list(targets or [])
    for family in families or []:
        named += stages_of(stages, family)
    return select(stages, named) if named else list(stages)


async def walk(stages: Sequence[Stage], project: Path, tries: Tries) -> list[StageResult]:
    """Run the `stages`, branches side by side; a stage starts when all it needs is there."""
    slots = Slots(default_slots())
    running: dict[str, asyncio.Task[tuple[StageResult, State]]] = {}
    async with asyncio.TaskGroup() as group:
        for number, stage in enumerate(stages, start=1):
            label = f"[{number}/{len(stages)}] {stage.name}"
            upstream = [running[name] for name in stage.needs]
            running[stage.name] = group.create_task(run_after(upstream, stage, label, project, slots, tries))
    return [running[stage.name].result()[0] for stage in stages]


async def run_after(
    upstream: Sequence[asyncio.Task[tuple[StageResult, State]]],
    stage: Stage,
    label: str,
    project: Path,
    slots: Slots,
    tries: Tries,
) -> tuple[StageResult, State]:
    """Wait for the `upstream` stages, then run the stage as a task, in a slot; not where one of them failed.

    Where it is unchanged, and all that it needs was, the task only says so.
    """
    needed = [await each for each in upstream]
    before = {result.state for result, _ in needed}
    if before & {"failed", "not run"}:
        result, state = StageResult(stage.name, "not run"), Failed()
    else:
        step = run_stage.with_options(task_run_name=stage.name, **tries.options())
        has_work = stage.is_changed or bool(before - {"unchanged"})
        async with in_slot(slots, stage.is_alone) if has_work else nullcontext():
            started = time.monotonic()
            state = await step(
                stage.name, label, str(project), has_work, wait_for=[s for _, s in needed], return_state=True
            )
            result = result_of(stage.name, state, time.monotonic() - started)
    print(f"{label} … {result}", flush=True)
    return result, state


@asynccontextmanager
async def in_slot(slots: Slots, is_alone: bool) -> AsyncIterator[None]:
    """Hold what a stage needs of this machine."""
    async with slots.take(is_alone), gpus():
        yield


@task(name="stage", cache_policy=NO_CACHE, persist_result=False)
async def run_stage(name: str, label: str, project: str, has_work: bool) -> State[None]:
    """One stage through DVC; its state is named after what DVC did, and its output is in the run's log."""
    if not has_work:
        return Completed(name="Unchanged", message=f"{name}: unchanged")
    result = await reproduce(
        name, Path(project), run_environment(), on_start=lambda: print(f"{label} …", flush=True), on_line=tell_and_log()
    )
    if result.state == "failed":
        return Failed(message=result.error)
    return Completed(name=result.state.capitalize(), message=f"{name}: {result.state}")


def run_environment() -> dict[str, str]:
    """Tells what a stage starts which flow run it belongs to, under Prefect's own name for it."""
    return {"PREFECT__FLOW_RUN_ID": str(flow_run.id)}


def first_error(results: Sequence[StageResult]) -> str | None:
    """`STAGE: its error`, of the first that failed."""
    return next((f"{result.name}: {result.error}" for result in results if result.state == "failed"), None)
