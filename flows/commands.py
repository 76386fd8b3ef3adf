"""Flows that run single commands: batch prediction, the search for parameters, and the weekly verification."""

from collections.abc import Mapping
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.messages import complete
from flows.pipeline import PIPELINE_LOCK
from flows.prefect_tasks import run_commands, run_on_dask
from flows.run_lock import hold_run_lock
from flows.tries import ONCE, Tries


@flow(name="predict", persist_result=False)
async def predict(
    inputs: list[Path],
    output: Path = Path("predictions"),
    model: str = "models:/fcn@champion",
    dask: str | None = None,
    tries: Tries = ONCE,
) -> State[None]:
    """Write the label maps and overlays of pictures, videos and folders of them, with a model's folder or reference.

    dask: address of a Dask scheduler, whose workers then process the inputs: one command per input, each writing to its
    own folder under `output`. The workers need the same checkout, inputs and output under the same paths.
    """
    groups = {path.name: [path] for path in inputs} if dask else {"": inputs}
    if sum(map(len, groups.values())) < len(inputs):
        return Failed(
            message=f"predict: found inputs of the same name, expected different names: {', '.join(map(str, inputs))}"
        )
    commands = {
        f"predict {name}".strip(): ["predict", "--model", model, "--output", str(output / name), "--", *map(str, paths)]
        for name, paths in groups.items()
    }
    return await run_alone(commands, Path(".state/predict.lock"), tries, dask)


@flow(name="verify", persist_result=False)
async def verify(data: Path = Path("data/prepared"), tries: Tries = ONCE) -> State[None]:
    """Compare the prepared data, DVC's cache and the registered models with the hashes recorded for them."""
    # Holds the pipeline's lock: a stage that ran at the same time would remove files.
    return await run_alone({"verify": ["verify", "--data", str(data)]}, PIPELINE_LOCK, tries)


@flow(name="tune", persist_result=False)
async def tune(family: str = "fcn", trials: int = 30, hours: float = 8.0, tries: Tries = ONCE) -> State[None]:
    """Search for better training parameters of a family, on the prepared data.

    Every run is a worker of the same search: two runs at once share its trials. A later run goes on from there.
    """
    command = ["tune", "--family", family, "--trials", str(trials), "--hours", str(hours)]
    return summarise(await run_commands({f"tune {family}": command}, tries))


async def run_alone(
    commands: Mapping[str, list[str]], lock: Path, tries: Tries, dask: str | None = None
) -> State[None]:
    """Run the pixelwise commands, by name, as tasks; skip them where another run holds `lock`."""
    async with hold_run_lock(Path.cwd() / lock) as is_ours:
        if not is_ours:
            return complete("Skipped", f"skipped: busy, another run holds {lock}")
        states = await run_commands(commands, tries) if dask is None else await run_on_dask(dask, commands, tries)
    return summarise(states)


def summarise(states: Mapping[str, State]) -> State[None]:
    """Make the state of a flow from the states of its commands, by name."""
    failed = [f"{name}: {state.message or state.name}" for name, state in states.items() if not state.is_completed()]
    if failed:
        return Failed(message=failed[0] + (f"; {len(failed) - 1} more failed" if failed[1:] else ""))
    return complete("Completed", "; ".join(str(state.message) for state in states.values()))
