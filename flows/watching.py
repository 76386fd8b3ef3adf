"""Compare what servers saw and said with the accepted data, and start a retraining where it drifted."""

import asyncio
from pathlib import Path

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed

from flows.messages import complete
from flows.start import start_once
from pixelwise.errors import PixelwiseError
from pixelwise.params import PARAMS_FILE, parse, read_section
from pixelwise.tools.watch import OUT, PREPARED, run
from pixelwise.watching.params import WatchParams
from pixelwise.watching.watched import Watched


@flow(name="watch", persist_result=False)
async def watch(
    files: list[Path],
    model: str = "models:/fcn@champion",
    data: Path = PREPARED,
    out: Path = OUT,
    retrain: str | None = None,
) -> State[None]:
    """Watch a served model. A drift fails the run, or starts a deployment.

    files: of `pixelwise serve --statistics`. retrain: deployment to start where requests drifted, once for each model;
    null: the run fails, so that whoever is notified decides.
    """
    try:
        watched = await asyncio.to_thread(compare, files, model, data, out)
    except PixelwiseError as error:
        return Failed(message=str(error))
    if watched.failure is None:
        return complete("Completed", f"{watched.model}: {watched.requests} requests as accepted; page: {watched.page}")
    print(watched, flush=True)
    if retrain is None:
        return Failed(name="Drifted", message=watched.failure)
    return await start_once(retrain, f"drift {watched.sha256}", watched.failure)


def compare(files: list[Path], model: str, data: Path, out: Path) -> Watched:
    """Compare as `pixelwise watch` does, with the limits of params.yaml."""
    params = parse(WatchParams, read_section(PARAMS_FILE, "validate"), f"{PARAMS_FILE}: validate")
    return run(params, files, Path(model), data, out)
