"""The drop folder: ingest new data, validate it, and start a retraining where it passes."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Failed
from pydantic import NonNegativeFloat

from flows.dead_runs import end_dead_runs
from flows.messages import complete
from flows.pipeline import pipeline
from flows.start import start_once
from flows.tries import ONCE, Tries
from pixelwise.data.prepared import read_description
from pixelwise.data.walk import list_files
from pixelwise.errors import PixelwiseError
from pixelwise.files import write_bytes
from pixelwise.params import PARAMS_FILE, read_section

PREPARED = Path("data/prepared")
ACCEPTED = Path("data/accepted.json")
VERDICT, STATISTICS = Path("reports/validate/verdict.json"), Path("reports/validate/statistics.json")
# Tables of pixelwise/validation/tables.py whose failed checks mean drift that may be accepted without a person.
MOVED = ("image_drift", "class_drift")


@flow(name="ingest", persist_result=False)
async def ingest(
    retrain: str = "pipeline/nightly",
    on_drift: Literal["retrain", "stop"] = "retrain",
    settle_seconds: NonNegativeFloat = 60.0,
    tries: Tries = ONCE,
) -> State[None]:
    """Bring the prepared data up to date with the drop folder, `ingest.root` of params.yaml, and validate it.

    retrain: deployment to start, once for every state of the data that passes. on_drift: `retrain` accepts data whose
    only failed checks are drift of images or class shares; `stop` leaves the decision to a person. settle_seconds: the
    run is skipped while a file changed more recently than this, since it may be incomplete. tries: limits of each stage
    of the ingest; validation is tried once.
    """
    project = Path.cwd()
    await end_dead_runs(project)
    try:
        folder = read_drop_folder(project)
        if folder and (name := find_arriving(folder, settle_seconds)):
            return complete("Skipped", f"skipped: {name} changed less than {settle_seconds:g} s ago")
    except PixelwiseError as error:
        return Failed(message=str(error))
    state = await pipeline(targets=["ingest"], tries=tries, return_state=True)
    if state.is_completed() and state.name != "Skipped":
        state = await judge(on_drift, project)
    if not state.is_completed():
        return Failed(message=state.message)
    if state.name == "Skipped":
        return complete("Skipped", str(state.message))
    data = read_data_hash(project)
    return await start_once(retrain, f"data {data}", f"data {data[:12]} passed validation")


def read_drop_folder(project: Path) -> Path | None:
    """The folder or archive that ingest reads; None where the data set is generated."""
    root = read_section(project / PARAMS_FILE, "ingest").get("root")
    return project / root if root else None


def find_arriving(root: Path, seconds: float) -> Path | None:
    """Return a file or folder of `list_paths` that changed less than `seconds` ago or vanished; None if all settled.

    Compares the inode's change time, since copying and moving may preserve the modification time.
    """
    oldest = time.time() - seconds
    return next((path for path in list_paths(root) if not is_settled(path, oldest)), None)


def list_paths(root: Path) -> Iterator[Path]:
    """List `root`, and the files that ingest would find in it with their folders, links followed."""
    yield root
    for file in list_files(root, passed_over=Counter()):
        yield file.parent
        yield file


def is_settled(path: Path, time: float) -> bool:
    """Whether a file or folder exists and is unchanged since `time`, in seconds of the epoch."""
    try:
        return path.stat().st_ctime <= time
    except FileNotFoundError:
        return False


async def judge(on_drift: str, project: Path) -> State[None]:
    """Validate the prepared data; where it only drifted and `on_drift` allows it, accept it and validate again."""
    state = await pipeline(targets=["validate"], return_state=True)
    if state.is_failed() and on_drift == "retrain" and is_only_drifted(project):
        print(f"drift: {state.message}", flush=True)
        write_bytes(project / ACCEPTED, (project / STATISTICS).read_bytes())
        state = await pipeline(targets=["validate"], return_state=True)
    return state


def is_only_drifted(project: Path) -> bool:
    """Whether the verdict is about the current data and its only errors are drift of images or class shares.

    Changed classes do not count as drift: a person must accept them.
    """
    file = project / VERDICT
    verdict: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {"data": None}
    if verdict["data"] != read_data_hash(project):
        return False
    failed = [check for check in verdict["checks"] if check["severity"] == "error" and not check["passed"]]
    return bool(failed) and all(check["table"] in MOVED for check in failed)


def read_data_hash(project: Path) -> str:
    """Hash of the prepared data's manifest."""
    return str(read_description(project / PREPARED)["manifest_sha256"])
