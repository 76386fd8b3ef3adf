"""Send unsent runs to MLflow. Sending is idempotent, so an interrupted one is repeated as a whole."""

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
    """The store's id of the run `run_id`, which may be a local `offline-…` id; None if the store has no such run.

    A deleted run counts as missing.
    """
    from mlflow.exceptions import MlflowException

    if unsent_runs.is_local(run_id):
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        runs = client.search_runs(experiments, f"tags.{LOCAL_TAG} = '{run_id}'", max_results=1)
        return str(runs[0].info.run_id) if runs else None
    try:
        return run_id if client.get_run(run_id).info.lifecycle_stage == "active" else None
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def create_run(client: "MlflowClient", facts: dict[str, Any]) -> str:
    """Create a run with the experiment, name, tags and start time in `facts`; returns its id."""
    run = client.create_run(
        find_or_create_experiment(client, facts["experiment"]),
        facts["start_time"],
        facts["tags"],
        run_name=facts["name"],
    )
    return str(run.info.run_id)


def send_params(client: "MlflowClient", run_id: str, params: Sequence[tuple[str, str]]) -> None:
    """Log the parameters of a run; logging equal values again is allowed."""
    from mlflow.entities import Param

    flat = [Param(key, value) for key, value in params]
    for start in range(0, len(flat), MOST_PARAMS):
        client.log_batch(run_id, params=flat[start : start + MOST_PARAMS])


def send_unsent_runs(client: "MlflowClient", uri: str, is_asked: bool = False) -> list[str]:
    """Send the unsent runs meant for the store at `uri`, or all of them if `is_asked`; returns their ids.

    A run that the store refuses is kept, with a notice to the user. Raises UnreachableError if the store stops
    answering.
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
    """Send one unsent run and remove its folder; returns its id, or [] if the store has no such run to add to."""
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
    """Log metrics with their recorded times and steps; the step None means the last logged step."""
    from mlflow.entities import Metric

    metrics = [
        Metric(row["key"], row["value"], row["timestamp"], find_last_step(client, run_id, row["key"]))
        if row["step"] is None
        else Metric(row["key"], row["value"], row["timestamp"], row["step"])
        for row in rows
    ]
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run_id, metrics=metrics[start : start + BATCH])


def find_last_step(client: "MlflowClient", run_id: str, metric: str) -> int:
    """The last step at which `metric` was logged: a later value at the same step is the one that the UI shows."""
    return max((point.step for point in client.get_metric_history(run_id, metric)), default=0)
