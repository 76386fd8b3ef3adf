"""Send what waits in the spool. Every part may be sent again, so a sending that was cut is simply repeated."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.documents import read_json
from pixelwise.errors import RegistryError
from pixelwise.tracking import unsent_runs
from pixelwise.tracking.store import (
    UnreachableError,
    find_or_create_experiment,
    print_notice,
    redact_uri,
    translate_errors,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

BATCH = 500
MOST_PARAMS = 100
LOCAL_TAG = "local_run_id"


def find_run(client: "MlflowClient", run_id: str) -> str | None:
    """The id under which the store has the run `run_id`, be that an id given without a store; None where it has none.

    A deleted run counts as none.
    """
    from mlflow.exceptions import MlflowException

    if unsent_runs.is_local(run_id):
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        found = client.search_runs(experiments, f"tags.{LOCAL_TAG} = '{run_id}'", max_results=1)
        return str(found[0].info.run_id) if found else None
    try:
        return run_id if client.get_run(run_id).info.lifecycle_stage == "active" else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def create_run(client: "MlflowClient", facts: dict[str, Any]) -> str:
    """A new run in the experiment and with the name, tags and start that `facts` give; returns its id."""
    run = client.create_run(
        find_or_create_experiment(client, facts["experiment"]),
        facts["start_time"],
        facts["tags"],
        run_name=facts["name"],
    )
    return str(run.info.run_id)


def send_params(client: "MlflowClient", run_id: str, params: Sequence[tuple[str, str]]) -> None:
    """Give a run its parameters; equal ones may come again."""
    from mlflow.entities import Param

    flat = [Param(key, value) for key, value in params]
    for start in range(0, len(flat), MOST_PARAMS):
        client.log_batch(run_id, params=flat[start : start + MOST_PARAMS])


def send_unsent_runs(client: "MlflowClient", uri: str, is_asked: bool = False) -> list[str]:
    """Send the parcels kept for the store at `uri`, or all where a user asked for it; returns the ids of their runs.

    One that the store refuses stays, and the user is told. Raises UnreachableError where the store goes away.
    """
    sent = []
    with unsent_runs.lock_unsent():
        for run_folder in unsent_runs.list_unsent():
            facts = read_json(run_folder / unsent_runs.FACTS_FILE, "facts of a run", default={})
            if facts.get("store", redact_uri(uri)) != redact_uri(uri) and not is_asked:
                continue
            try:
                with translate_errors(uri):
                    sent += send_run(client, run_folder)
            except UnreachableError:
                raise
            except (RegistryError, OSError) as error:
                print_notice(f"{run_folder} stays: {error}")
    return sent


def send_run(client: "MlflowClient", run_folder: Path) -> list[str]:
    """Send one run_folder and remove it; returns the run's id, or none where the store has no such run to add to."""
    facts = read_json(run_folder / unsent_runs.FACTS_FILE, "facts of a run", default={})
    run_id = find_run(client, run_folder.name)
    if run_id is None and "experiment" not in facts:
        print_notice(f"{redact_uri(client.tracking_uri)} has no run {run_folder.name}; nothing added")
        unsent_runs.remove_unsent(run_folder)
        return []
    run_id = run_id or create_run(client, facts)
    send_params(client, run_id, facts.get("params", ()))
    rows = unsent_runs.read_metrics(run_folder)
    send_metrics(client, run_id, [row for row in rows if row["step"] is not None])
    send_metrics(client, run_id, [row for row in rows if row["step"] is None])
    if (artifacts := run_folder / unsent_runs.ARTIFACTS).is_dir():
        client.log_artifacts(run_id, str(artifacts))
    if end := read_json(run_folder / unsent_runs.END_FILE, "the end of a run", default={}):
        client.set_terminated(run_id, end["status"], end["end_time"])
    unsent_runs.remove_unsent(run_folder)
    return [run_id]


def send_metrics(client: "MlflowClient", run_id: str, rows: Sequence[dict[str, Any]]) -> None:
    """Send metrics with their own times and steps."""
    from mlflow.entities import Metric

    found = [
        Metric(row["key"], row["value"], row["timestamp"], find_last_step(client, run_id, row["key"]))
        if row["step"] is None
        else Metric(row["key"], row["value"], row["timestamp"], row["step"])
        for row in rows
    ]
    for start in range(0, len(found), BATCH):
        client.log_batch(run_id, metrics=found[start : start + BATCH])


def find_last_step(client: "MlflowClient", run_id: str, metric: str) -> int:
    """The last step at which `metric` was logged: a later value at the same step is the one that the UI shows."""
    return max((point.step for point in client.get_metric_history(run_id, metric)), default=0)
