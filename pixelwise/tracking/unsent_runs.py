"""Runs and metrics that could not be sent to MLflow yet, stored as files under .state/tracking.

A run folder holds what one run has yet to send: `facts.json` (how to make the run, where the store has none),
`metrics.jsonl`, `artifacts/` and, once the run has ended, `end.json`. A run begun without a store has an id of its own,
`offline-…`, which stays in run.json: the store finds the run by its tag `local_run_id`. Everything in it may be sent
twice: MLflow keeps one of two equal metrics.
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from pixelwise.file_lock import hold_lock
from pixelwise.files import write_json


def find_checkout() -> Path:
    """The folder of mlflow.db and of unsent runs: the working folder; in a copy that DVC makes for an experiment and
    deletes afterwards (`dvc exp run --temp`, `--queue`), the checkout that it was made of.
    """
    root = Path(os.environ.get("DVC_ROOT", ""))
    return root if Path.cwd().is_relative_to((root / ".dvc/tmp/exps").resolve()) else Path()


UNSENT_FOLDER = find_checkout() / ".state/tracking"
LOCAL_PREFIX = "offline-"
FACTS_FILE, METRICS_FILE, END_FILE, ARTIFACTS = "facts.json", "metrics.jsonl", "end.json", "artifacts"


def make_local_id() -> str:
    """A new id for a run that no store has yet."""
    return f"{LOCAL_PREFIX}{uuid.uuid4().hex}"


def is_local(run_id: str) -> bool:
    """Whether an id was given without a store."""
    return run_id.startswith(LOCAL_PREFIX)


def lock_unsent() -> AbstractContextManager[bool]:
    """The lock that keeps a run folder from being sent twice at once, or while another process adds to it."""
    return hold_lock(UNSENT_FOLDER / ".lock")


def list_unsent() -> list[Path]:
    """The folders of the unsent runs, oldest first."""
    folders = [path for path in UNSENT_FOLDER.glob("[!.]*") if path.is_dir()]
    return sorted(folders, key=lambda path: path.stat().st_mtime_ns)


def save_facts(run_id: str, facts: Mapping[str, Any]) -> None:
    """Write facts.json of a run, unless it exists."""
    with lock_unsent():
        if not (file := UNSENT_FOLDER / run_id / FACTS_FILE).exists():
            write_json(file, facts)


def save_metrics(run_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add metrics: key, value, timestamp in milliseconds, and step, which is None for `after the last one`."""
    # The newline comes first, so that a line truncated by a kill cannot corrupt the next one.
    lines = "".join("\n" + json.dumps(row) for row in rows)
    with lock_unsent():
        file = UNSENT_FOLDER / run_id / METRICS_FILE
        file.parent.mkdir(exist_ok=True)
        with file.open("a") as stream:
            stream.write(lines)


def save_artifacts(run_id: str, path: Path) -> None:
    """Add a copy of a file, as FOLDER/FILE, or of a folder."""
    source = path.resolve()
    with lock_unsent():
        target = UNSENT_FOLDER / run_id / ARTIFACTS
        if source.is_dir():
            shutil.copytree(source, target / source.name, dirs_exist_ok=True)
        else:
            (target / source.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target / source.parent.name / source.name)


def save_end(run_id: str, status: str) -> None:
    """Write the final status of a run and the time."""
    with lock_unsent():
        write_json(UNSENT_FOLDER / run_id / END_FILE, {"status": status, "end_time": read_milliseconds()})


def read_metrics(run_folder: Path) -> list[dict[str, Any]]:
    """The metrics of a run folder; a line that a kill cut short is left out."""
    rows, file = [], run_folder / METRICS_FILE
    for line in file.read_text().splitlines() if file.exists() else ():
        with suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
    return rows


def find_last_steps(run_id: str) -> dict[str, int]:
    """The last stored step of each metric of a run."""
    return {row["key"]: row["step"] for row in read_metrics(UNSENT_FOLDER / run_id) if row["step"] is not None}


def remove_unsent(run_folder: Path) -> None:
    """Remove the folder of a sent run. It is renamed first, so that a kill leaves no partial unsent run."""
    sent = run_folder.with_name(f".sent-{run_folder.name}")
    shutil.rmtree(sent, ignore_errors=True)
    run_folder.replace(sent)
    shutil.rmtree(sent)


def read_milliseconds() -> int:
    """The current time in milliseconds since the epoch, as MLflow counts."""
    return time.time_ns() // 1_000_000
