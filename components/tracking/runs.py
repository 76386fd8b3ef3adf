"""The MLflow run of a training: parameters, curves, system metrics, and what later steps add to it.

Every family uses the same metric names, so that the UI compares them: train/loss, val/mean_iu, val/pixel_accuracy,
val/mean_accuracy, val/frequency_weighted_iu, learning_rate, images_per_second, seconds.
"""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import DataError
from components.tracking.store import (
    OFF,
    connect,
    experiment_id,
    git_commit,
    is_installed,
    plain_errors,
    say,
    store_uri,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

BATCH = 500
FLUSH_SECONDS = 10.0
LONGEST_VALUE = 6000
MOST_PARAMS = 100
RUN_FILE = "run.json"
CONTEXT = {"dvc_stage": "DVC_STAGE", "prefect_flow_run": "PREFECT__FLOW_RUN_ID"}


class Recorder:
    """Takes what a training has to tell. This one keeps nothing, for a training that is not tracked."""

    run_id: str | None = None

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Take metrics by name, measured at `step`."""

    def artifacts(self, path: Path) -> None:
        """Take a file, or all of a folder."""


class MlflowRecorder(Recorder):
    """Sends what it takes to one run, metrics in batches: a call a metric would slow a training down."""

    def __init__(self, client: "MlflowClient", run_id: str) -> None:
        self.client = client
        self.run_id: str = run_id
        self.waiting: list[Metric] = []
        self.sent = time.monotonic()

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Keep metrics and send them once there are many or the last ones are some seconds old."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        self.waiting.extend(Metric(name, float(value), now, step) for name, value in values.items())
        if len(self.waiting) >= BATCH or time.monotonic() - self.sent > FLUSH_SECONDS:
            self.flush()

    def artifacts(self, path: Path) -> None:
        """Send a file as FOLDER/FILE and a folder as FOLDER/…, so that both land in one place."""
        if path.is_dir():
            self.client.log_artifacts(self.run_id, str(path), path.resolve().name)
        else:
            self.client.log_artifact(self.run_id, str(path), path.resolve().parent.name)

    def flush(self) -> None:
        """Send what waits. A store that fails costs no training its hours: the metrics wait for the next time."""
        from mlflow.exceptions import MlflowException

        self.sent = time.monotonic()
        try:
            while self.waiting:
                self.client.log_batch(self.run_id, metrics=self.waiting[:BATCH])
                del self.waiting[:BATCH]
        except MlflowException as error:
            say(f"{len(self.waiting)} metrics not sent yet: {str(error).partition(chr(10))[0]}")


@contextmanager
def start_run(
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    tracking: str | None = None,
    *,
    resume: str | None = None,
) -> Iterator[Recorder]:
    """A run that lasts as long as the block, and ends as finished, failed or killed like the block.

    `params` may be nested. `resume` is the id of a run to go on with; one that the store does not have is made anew.
    Without MLflow, or with tracking "none", nothing is recorded. Raises RegistryError where the store cannot be used.
    """
    # Processes of one training beside the first train along; one run is enough.
    uri = store_uri(tracking) if os.environ.get("LOCAL_RANK", "0") == "0" else OFF
    if uri == OFF or not is_installed():
        if uri != OFF:
            say("mlflow is not installed; this training is not tracked")
        yield Recorder()
        return
    client = connect(uri)
    with plain_errors(uri):
        run_id = reopened(client, resume) or opened(client, experiment, name, params, tags)
    monitor = watch_system(run_id, uri, resumed=run_id == resume)
    recorder, status = MlflowRecorder(client, run_id), "FAILED"
    try:
        yield recorder
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        monitor.finish()
        recorder.flush()
        client.set_terminated(run_id, status)


def opened(
    client: "MlflowClient", experiment: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]
) -> str:
    """The id of a new run with its parameters and tags."""
    from mlflow.entities import Param

    run = client.create_run(experiment_id(client, experiment), run_name=name, tags={**tags, **context_tags()})
    flat = [Param(key, value[:LONGEST_VALUE]) for key, value in flatten(params)]
    for start in range(0, len(flat), MOST_PARAMS):
        client.log_batch(run.info.run_id, params=flat[start : start + MOST_PARAMS])
    return str(run.info.run_id)


def reopened(client: "MlflowClient", run_id: str | None) -> str | None:
    """`run_id`, marked as running again; None where the store has no such run."""
    if run_id is None or not has_run(client, run_id):
        return None
    client.update_run(run_id, status="RUNNING")
    return run_id


def has_run(client: "MlflowClient", run_id: str) -> bool:
    """Whether the store has a run that is not deleted under this id."""
    from mlflow.exceptions import MlflowException

    try:
        return bool(client.get_run(run_id).info.lifecycle_stage == "active")
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return False


def watch_system(run_id: str, uri: str, resumed: bool) -> Any:
    """A running monitor of processor, memory and, where there is one, GPU; metrics system/… every 10 s."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, tracking_uri=uri, resume_logging=resumed)
    monitor.start()
    return monitor


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, value as text) of nested parameters."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def context_tags() -> dict[str, str]:
    """Where a run comes from: git commit, DVC stage and Prefect flow run, as far as there are such."""
    tags = {"git_commit": git_commit(), **{tag: os.environ.get(name, "") for tag, name in CONTEXT.items()}}
    return {tag: value for tag, value in tags.items() if value}


def record(
    run_json: Path, metrics: Mapping[str, float], artifacts: Iterable[Path] = (), tracking: str | None = None
) -> None:
    """Add `metrics` and `artifacts` of a later step to the run of the training that wrote `run_json`.

    Where the training was not tracked, or its run is in another store, nothing is added and the user is told. Raises
    DataError where `run_json` cannot be read and RegistryError where the store cannot be used.
    """
    uri = store_uri(tracking)
    run_id = read_run(run_json)["run_id"]
    if uri == OFF:
        return
    if run_id is None or not is_installed():
        reason = "the training was not tracked" if run_id is None else "mlflow is not installed"
        say(f"{run_json}: {reason}; nothing added")
        return
    client = connect(uri)
    with plain_errors(uri):
        if not has_run(client, run_id):
            say(f"{uri} has no run {run_id}; nothing added")
            return
        recorder = MlflowRecorder(client, run_id)
        for name, value in metrics.items():
            recorder.metrics({name: value}, last_step(client, run_id, name))
        recorder.flush()
        for path in artifacts:
            recorder.artifacts(path)


def record_beside(model: Path, metrics: Mapping[str, float], artifacts: Iterable[Path] = ()) -> None:
    """`record` for the model in the folder `model`, where its training's run.json lies with it."""
    run_json = model / "checkpoint" / RUN_FILE
    if run_json.is_file():
        record(run_json, metrics, artifacts)


def last_step(client: "MlflowClient", run_id: str, metric: str) -> int:
    """The last step at which `metric` was logged: a later value at the same step is the one that the UI shows."""
    return max((point.step for point in client.get_metric_history(run_id, metric)), default=0)


def read_run(run_json: Path) -> dict[str, Any]:
    """What `run_json` says of a training: run_id (or None), fingerprint, experiment, parts.

    Raises DataError where it is missing or incomplete.
    """
    try:
        found = json.loads(run_json.read_text())
        return {key: found[key] for key in ("run_id", "fingerprint", "experiment", "parts")}
    except FileNotFoundError:
        raise DataError(f"{run_json}: no such file, expected what training wrote about its run") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{run_json}: {error}, expected run_id, fingerprint, experiment and parts") from None
