"""After the DAG: register each family's model and promote it where the release gate allows it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.dvc_stage import POSTPONED, StageResult, StageState, read_result
from flows.tries import Tries
from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError, PixelwiseError
from pixelwise.families import find_options
from pixelwise.inference.exported_models import find_exported_models
from pixelwise.params import PARAMS_FILE, find_value, parse, read_section
from pixelwise.tracking.store import UnreachableError

Acted = tuple[StageState, str]
MISSING = object()


async def release(families: Sequence[str] | None, project: Path, tries: Tries) -> list[StageResult]:
    """Register and promote the model of each family that has one and a section `FAMILY.release` in params.yaml.

    families: only these; None or empty: all. A model that cannot be registered or judged does not stop the others.
    Where the registry does not answer, the rest is postponed: the next run repeats it.
    """
    results: list[StageResult] = []
    for model in find_exported_models(project):
        if (families and model.name not in families) or not is_released(model.name, project):
            continue
        for verb in ACTIONS:
            started = time.monotonic()
            name = f"{verb}-{model.name}"
            step = run_action.with_options(task_run_name=name, **tries.as_task_options())
            state = await step(verb, model.name, str(project), return_state=True)
            results.append(read_result(name, state, time.monotonic() - started))
            print(f"{name} … {results[-1]}", flush=True)
            if results[-1].state == "postponed":
                return results
            if results[-1].state == "failed":
                break
    return results


def is_released(family: str, project: Path) -> bool:
    """Whether params.yaml has a section `release` of `family`."""
    params = read_yaml(project / PARAMS_FILE, "the pipeline's parameters", error=ParamsError)
    return find_value(params, f"{family}.release", MISSING) is not MISSING


@task(name="action", cache_policy=NO_CACHE, persist_result=False)
async def run_action(verb: str, family: str, project: str) -> State[None]:
    """Run one action on the registry. The state's name is the outcome."""
    try:
        # In a thread, since MLflow blocks for seconds and Prefect must keep sending heartbeats and logs.
        outcome, words = await asyncio.to_thread(ACTIONS[verb], family, Path(project))
    except UnreachableError as error:
        return Failed(name=POSTPONED, message=str(error))
    except PixelwiseError as error:
        return Failed(message=str(error))
    get_run_logger().info("%s", words)
    return Completed(name=outcome.capitalize(), message=words.splitlines()[0])


def register(family: str, project: Path) -> Acted:
    """Register the family's exported model with its evidence."""
    from components.register import run

    reports = project / "reports" / family
    benchmark = reports / "benchmark"
    registration = run(
        name=family,
        model=project / "models" / family,
        evaluation=reports / "evaluate",
        benchmark=benchmark if benchmark.is_dir() else None,
    )
    return "registered" if registration.is_new else "unchanged", str(registration)


def promote(family: str, project: Path) -> Acted:
    """Let the gate decide on the challenger. A refusal is an outcome, not a failure of the pipeline."""
    from components.promote import run

    file = project / PARAMS_FILE
    section = f"{family}.release"
    limits = parse(find_options(family).ReleaseParams, read_section(file, section), f"{file}: {section}")
    promotion = run(limits, name=family)
    return promotion.outcome, str(promotion)


ACTIONS: dict[str, Callable[[str, Path], Acted]] = {"register": register, "promote": promote}
