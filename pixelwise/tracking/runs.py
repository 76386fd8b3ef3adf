"""The MLflow run of a training: parameters, curves, system metrics, and the metrics of later steps.

Every family uses the same metric names, so that the UI compares them: train/loss, val/mean_iu, val/pixel_accuracy,
val/mean_accuracy, val/frequency_weighted_iu, learning_rate, images_per_second, seconds.
"""

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.errors import DataError, RegistryError, TrainingStoppedError
from pixelwise.model_folder import ModelFolder
from pixelwise.params import flatten
from pixelwise.tracking import sender, unsent_runs
from pixelwise.tracking.machine_load import MachineLoadMonitor
from pixelwise.tracking.store import (
    OFF,
    UnreachableError,
    connect,
    is_installed,
    print_notice,
    read_git_commit,
    redact_uri,
    require_answer,
    resolve_store_uri,
    translate_errors,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

BATCH = 500
FLUSH_SECONDS = 10.0
LONGEST_VALUE = 6000
LOAD_METRIC = "system/cpu_utilization_percentage"
CONTEXT = {
    "dvc_stage": "DVC_STAGE",
    "dvc_experiment": "DVC_EXP_NAME",
    "prefect_flow_run": "PREFECT__FLOW_RUN_ID",
}


class Recorder:
    """Records metrics and artifacts of a training. This base class discards them: the training is not tracked."""

    run_id: str | None = None

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Record metrics by name, measured at `step`."""

    def log_artifacts(self, path: Path) -> None:
        """Record a file, or all files of a folder."""


class OfflineRecorder(Recorder):
    """Stores metrics and artifacts locally (`unsent_runs`), for a run whose store does not answer.

    last_steps: as for MlflowRecorder, of what is stored locally.
    """

    def __init__(self, run_id: str, last_steps: Mapping[str, int]) -> None:
        self.run_id: str = run_id
        self.last_steps = last_steps

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Write metrics at once, so that a killed process loses none."""
        unsent_runs.save_metrics(self.run_id, make_metric_rows(select_new(values, step, self.last_steps), step))

    def log_artifacts(self, path: Path) -> None:
        """Store a copy."""
        unsent_runs.save_artifacts(self.run_id, path)

    def end(self, status: str) -> None:
        """Store the final status of the run."""
        unsent_runs.save_end(self.run_id, status)


class MlflowRecorder(Recorder):
    """Sends metrics and artifacts to one run. Metrics go in batches, since a request for each slows training down.

    When the store fails, unsent data is stored locally and the training continues. last_steps: by metric, what the run
    has from before a kill: a resumed training repeats its metrics, since those not yet sent were lost.
    """

    def __init__(self, client: "MlflowClient", run_id: str, uri: str, last_steps: Mapping[str, int]) -> None:
        self.client = client
        self.run_id: str = run_id
        self.uri = uri
        self.last_steps = last_steps
        self.waiting: list[dict[str, Any]] = []
        self.sent = time.monotonic()
        # MachineLoadMonitor calls this from a thread of its own.
        self.lock = threading.RLock()

    def log_metrics(self, values: Mapping[str, float], step: int) -> None:
        """Buffer metrics; send the buffer when it is full or FLUSH_SECONDS have passed."""
        with self.lock:
            self.waiting.extend(make_metric_rows(select_new(values, step, self.last_steps), step))
            if len(self.waiting) >= BATCH or time.monotonic() - self.sent > FLUSH_SECONDS:
                self.flush()

    def log_artifacts(self, path: Path) -> None:
        """Send a file as FOLDER/FILE and a folder as FOLDER/…, so that both are in one folder."""

        def send() -> None:
            if path.is_dir():
                self.client.log_artifacts(self.run_id, str(path), path.resolve().name)
            else:
                self.client.log_artifact(self.run_id, str(path), path.resolve().parent.name)

        if reason := self.try_to_send(send):
            unsent_runs.save_artifacts(self.run_id, path)
            self.report_unsent(path.name, reason)

    def flush(self) -> None:
        """Send the buffered metrics."""
        with self.lock:
            self.sent = time.monotonic()
            rows, self.waiting = self.waiting, []
            if rows and (reason := self.try_to_send(lambda: sender.send_metrics(self.client, self.run_id, rows))):
                unsent_runs.save_metrics(self.run_id, rows)
                self.report_unsent(f"{len(rows)} metrics", reason)

    def end(self, status: str) -> None:
        """Send buffered metrics and unsent runs, and set the run's final status."""
        self.flush()
        if reason := self.try_to_send(lambda: self.client.set_terminated(self.run_id, status)):
            unsent_runs.save_end(self.run_id, status)
            self.report_unsent(f"the end of run {self.run_id}", reason)
        elif unsent_runs.list_unsent():
            self.try_to_send(lambda: sender.send_unsent_runs(self.client, self.uri))

    def try_to_send(self, send: Any) -> str:
        """Call `send`; returns the reason if the store does not accept the data, "" on success."""
        try:
            require_answer(self.uri)
            with translate_errors(self.uri):
                send()
        except RegistryError as error:
            return str(error)
        return ""

    def report_unsent(self, content: str, reason: str) -> None:
        """Print which data was stored locally and why, and record its store."""
        unsent_runs.save_facts(self.run_id, {"store": redact_uri(self.uri)})
        print_notice(f"{content} kept in {unsent_runs.UNSENT_FOLDER / self.run_id}: {reason}")


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

    `params` may be nested. `resume` is the id of a run to continue; a new run is created if the store does not have it.
    Without MLflow, or with tracking "none", nothing is recorded. While the store does not answer, the run is stored
    locally (`unsent_runs`). Raises RegistryError if the store refuses.
    """
    # Only the first process of a training records a run.
    uri = resolve_store_uri(tracking) if os.environ.get("LOCAL_RANK", "0") == "0" else OFF
    if uri == OFF or not is_installed():
        if uri != OFF:
            print_notice("mlflow is not installed; this training is not tracked")
        yield Recorder()
        return
    recorder = open_recorder(uri, describe_run(uri, experiment, name, params, tags), resume)
    load = MachineLoadMonitor(recorder.log_metrics, recorder.last_steps.get(LOAD_METRIC, -1) + 1)
    status = "FAILED"
    try:
        yield recorder
        status = "FINISHED"
    except (KeyboardInterrupt, TrainingStoppedError):
        status = "KILLED"
        raise
    finally:
        load.finish()
        recorder.end(status)


def describe_run(
    uri: str, experiment: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str]
) -> dict[str, Any]:
    """Everything needed to create a run, now or later."""
    return {
        "store": redact_uri(uri),
        "experiment": experiment,
        "name": name,
        "start_time": unsent_runs.read_milliseconds(),
        "tags": {**tags, **read_context_tags()},
        "params": [(key, str(value)[:LONGEST_VALUE]) for key, value in flatten(params).items()],
    }


def open_recorder(uri: str, facts: dict[str, Any], resume: str | None) -> OfflineRecorder | MlflowRecorder:
    """A recorder for a new run, or for the run `resume`."""
    run_id = resume or unsent_runs.make_local_id()
    if unsent_runs.is_local(run_id):
        facts = {**facts, "tags": {**facts["tags"], sender.LOCAL_TAG: run_id}}
    try:
        client = connect(uri)
        if unsent_runs.list_unsent():
            sender.send_unsent_runs(client, uri)
        with translate_errors(uri):
            stored_id = open_run(client, run_id, facts)
            return MlflowRecorder(client, stored_id, uri, find_last_steps(client, stored_id))
    except UnreachableError as error:
        unsent_runs.save_facts(run_id, facts)
        folder = unsent_runs.UNSENT_FOLDER / run_id
        print_notice(f"{error}; the run is kept in {folder} and sent by the next step that reaches the store")
        return OfflineRecorder(run_id, unsent_runs.find_last_steps(run_id))


def open_run(client: "MlflowClient", run_id: str, facts: dict[str, Any]) -> str:
    """The store's id of the run `run_id`, marked as running again; of a new run where the store has no such run."""
    if stored_id := sender.find_run(client, run_id):
        client.update_run(stored_id, status="RUNNING")
    else:
        stored_id = sender.create_run(client, facts)
    # A kill may have come between the run and its parameters.
    known = client.get_run(stored_id).data.params
    sender.send_params(client, stored_id, [(key, value) for key, value in facts["params"] if key not in known])
    return stored_id


def find_last_steps(client: "MlflowClient", run_id: str) -> dict[str, int]:
    """The last recorded step of each metric of a run."""
    return {key: sender.find_last_step(client, run_id, key) for key in client.get_run(run_id).data.metrics}


def select_new(values: Mapping[str, float], step: int, last_steps: Mapping[str, int]) -> dict[str, float]:
    """The metrics that a run does not have of `step` or a later one."""
    return {name: value for name, value in values.items() if step > last_steps.get(name, -1)}


def make_metric_rows(values: Mapping[str, float], step: int | None) -> list[dict[str, Any]]:
    """Metrics as rows with key, value, step and the current time."""
    now = unsent_runs.read_milliseconds()
    return [{"key": name, "value": float(value), "timestamp": now, "step": step} for name, value in values.items()]


def read_context_tags() -> dict[str, str]:
    """Tags of the run's origin: git commit, DVC stage, DVC experiment and Prefect flow run, those that exist."""
    tags = {"git_commit": read_git_commit(), **{tag: os.environ.get(name, "") for tag, name in CONTEXT.items()}}
    return {tag: value for tag, value in tags.items() if value}


def record(
    run_json: Path, metrics: Mapping[str, float], artifacts: Iterable[Path] = (), tracking: str | None = None
) -> None:
    """Add `metrics` and `artifacts` of a later step to the run of the training that wrote `run_json`.

    If the training was not tracked, or its run is in another store, nothing is added, with a notice. If the store does
    not answer, the data is stored locally and sent later. Raises DataError if `run_json` cannot be read, RegistryError
    if the store cannot be used.
    """
    uri = resolve_store_uri(tracking)
    run_id = read_run(run_json)["run_id"]
    if uri == OFF:
        return
    if run_id is None or not is_installed():
        reason = "the training was not tracked" if run_id is None else "mlflow is not installed"
        print_notice(f"{run_json}: {reason}; nothing added")
        return
    # Stored locally before it is sent, so that an interrupted send loses nothing.
    unsent_runs.save_facts(run_id, {"store": redact_uri(uri)})
    unsent_runs.save_metrics(run_id, make_metric_rows(metrics, step=None))
    for path in artifacts:
        unsent_runs.save_artifacts(run_id, path)
    try:
        sender.send_unsent_runs(connect(uri), uri)
    except UnreachableError as error:
        print_notice(f"{error}; what this step adds is kept in {unsent_runs.UNSENT_FOLDER / run_id}")


def record_for_model(model: Path, metrics: Mapping[str, float], artifacts: Iterable[Path] = ()) -> None:
    """`record` for the model in the folder `model`; nothing if the folder has no run.json."""
    run_json = ModelFolder(model).run
    if run_json.is_file():
        record(run_json, metrics, artifacts)


def record_measures(model: Path, metrics: Mapping[str, Any]) -> None:
    """`record_for_model` for the `measures` in the content of an evaluation's metrics.json."""
    split, keys = metrics["split"], metrics["measures"].values()
    record_for_model(model, {f"evaluate/{split}/{key}": metrics[key] for key in keys})


def read_run(run_json: Path) -> dict[str, Any]:
    """Read the facts of a training from `run_json`: run_id (or None), fingerprint, experiment, parts.

    Raises DataError where it is missing or incomplete.
    """
    try:
        run = json.loads(run_json.read_text())
        return {key: run[key] for key in ("run_id", "fingerprint", "experiment", "parts")}
    except FileNotFoundError:
        raise DataError(f"{run_json}: no such file, expected the run.json of a training") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{run_json}: {error}, expected run_id, fingerprint, experiment and parts") from None
