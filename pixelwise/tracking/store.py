"""The MLflow store: its address, the connection and its errors.

MLflow is imported inside functions: it takes seconds, and training works without it.
"""

import importlib.util
import logging
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pixelwise.errors import RegistryError
from pixelwise.file_lock import hold_lock
from pixelwise.tracking.moved_store import find_artifact_folder, follow_move
from pixelwise.tracking.unsent_runs import find_checkout

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

OFF = "none"
DEFAULT_STORE = "sqlite:///mlflow.db"
SQLITE = "sqlite:///"
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # The address that it would print has the store's user and password in it.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A server that does not answer is reported in seconds; by default MLflow tries for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}

ANSWER_SECONDS = 5.0
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
# MLflow's error codes for a failing store, as opposed to an invalid request.
FAILING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE")


class UnreachableError(RegistryError):
    """The store does not answer now; it may later."""


def resolve_store_uri(tracking: str | None) -> str:
    """`tracking`, else MLFLOW_TRACKING_URI, else mlflow.db in the working directory, the default of `mlflow ui` too.

    In an experiment's temporary copy of the checkout, mlflow.db is that of the checkout.
    """
    checkout = find_checkout()
    default = DEFAULT_STORE if checkout == Path() else f"{SQLITE}{checkout / DEFAULT_STORE.removeprefix(SQLITE)}"
    return tracking or os.environ.get("MLFLOW_TRACKING_URI") or default


def is_installed() -> bool:
    """Whether MLflow can be imported; it is not imported to find out."""
    return importlib.util.find_spec("mlflow") is not None


def connect(uri: str) -> "MlflowClient":
    """A client of the store at `uri`; an SQLite store is created on first use, which takes seconds.

    Raises RegistryError where MLflow is not installed, tracking is off or the store cannot be opened, UnreachableError
    where it does not answer.
    """
    if uri == OFF or not is_installed():
        lacks = "switched off" if uri == OFF else "mlflow is not installed, expected the extra pixelwise[pipeline]"
        raise RegistryError(f"tracking {uri}: {lacks}")
    if (database := parse_sqlite_path(uri)) is not None and not database.exists():
        if not database.parent.is_dir():
            raise RegistryError(f"{uri}: found no folder {database.parent}, expected an existing folder")
        print_notice(f"creating {database}, which takes seconds")
    require_answer(uri)
    mlflow = import_mlflow()
    with translate_errors(uri), hold_store(database):
        client = mlflow.MlflowClient(uri, registry_uri=uri)
        try:
            if database is not None:
                follow_move(database)
        except sqlite3.OperationalError as error:
            raise UnreachableError(f"{redact_uri(uri)}: {error}") from None
        return client


@contextmanager
def hold_store(database: Path | None) -> Iterator[None]:
    """Let one process at a time open the SQLite store `database`, which may have to create it.

    MLflow creates a store by migrations, which fail where two trainings begin at the same moment.
    """
    if database is None or not os.access(database.parent, os.W_OK):
        yield
        return
    with hold_lock(database.with_name(f"{database.name}.lock")):
        yield


def import_mlflow() -> ModuleType:
    """Import MLflow with telemetry and logging off. The first import takes seconds."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return mlflow


def connect_existing(uri: str) -> "MlflowClient":
    """`connect` to an existing store. Raises RegistryError if it does not exist: reading must not create a store."""
    if (database := parse_sqlite_path(uri)) is not None and not database.exists():
        raise RegistryError(f"{uri}: no such store, expected one that training or registering made")
    return connect(uri)


def require_answer(uri: str) -> None:
    """Raise UnreachableError within seconds if no server listens at `uri` or its database cannot be opened.

    MLflow itself would retry a database for a minute, and a server for 15 seconds, on every call.
    """
    if (database := parse_sqlite_path(uri)) is not None:
        require_database(database, uri)
        return
    server = urlsplit(uri)
    port = server.port or PORTS.get(server.scheme.partition("+")[0])
    if not server.hostname or not port:
        return
    try:
        socket.create_connection((server.hostname, port), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise UnreachableError(f"{redact_uri(uri)}: {error.strerror or error}") from None


def require_database(file: Path, uri: str) -> None:
    """Raise UnreachableError if an existing SQLite file cannot be opened, RegistryError if it is no SQLite file."""
    if not file.exists():
        return
    try:
        with sqlite3.connect(file, timeout=ANSWER_SECONDS) as database:
            database.execute("PRAGMA schema_version")
        database.close()
    except sqlite3.OperationalError as error:
        raise UnreachableError(f"{uri}: {error}") from None
    except sqlite3.DatabaseError as error:
        raise RegistryError(f"{uri}: {error}, expected an MLflow database") from None


def redact_uri(uri: str) -> str:
    """`uri` without user, password and query options."""
    return redact_secrets(uri, uri)


def redact_secrets(text: str, uri: str) -> str:
    """`text` with user, password and query options of `uri` removed."""
    server = urlsplit(uri)
    for secret in (f"{server.netloc.rpartition('@')[0]}@", f"?{server.query}"):
        if len(secret) > 1:
            text = text.replace(secret, "")
    return text


def find_or_create_experiment(client: "MlflowClient", name: str) -> str:
    """The id of the experiment `name`, created if it is new; artifacts of an SQLite store are in a folder beside it.

    Raises RegistryError where somebody deleted the experiment.
    """
    from mlflow.exceptions import MlflowException

    if (experiment := client.get_experiment_by_name(name)) is not None:
        return require_active(experiment, client)
    database = parse_sqlite_path(client.tracking_uri)
    # As an address, in which a percent sign of the folder's name stays what it is.
    location = (find_artifact_folder(database) / name).as_uri() if database else None
    try:
        return str(client.create_experiment(name, artifact_location=location))
    except MlflowException:
        # Another family's training, started at the same moment, may have made it.
        if (experiment := client.get_experiment_by_name(name)) is None:
            raise
        return require_active(experiment, client)


def require_active(experiment: "Experiment", client: "MlflowClient") -> str:
    """The id of an experiment. Raises RegistryError where it was deleted."""
    if experiment.lifecycle_stage == "deleted":
        raise RegistryError(
            f"{redact_uri(client.tracking_uri)}: experiment {experiment.name} was deleted; restore it with `mlflow "
            f"experiments restore --experiment-id {experiment.experiment_id}`, or name another, MLFLOW_EXPERIMENT_NAME"
        )
    return str(experiment.experiment_id)


def parse_sqlite_path(uri: str) -> Path | None:
    """The database file behind `uri`, which may have options after a `?`; None for a server."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


@contextmanager
def use_as_default(uri: str) -> Iterator[None]:
    """Make `uri` MLflow's default store: its registry looks up logged models there, whatever the client's store."""
    previous = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = uri
    try:
        yield
    finally:
        if previous is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = previous


@contextmanager
def translate_errors(uri: str) -> Iterator[None]:
    """Translate errors of MLflow and its database: UnreachableError if the store fails for now, else RegistryError."""
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import OperationalError, SQLAlchemyError

    from pixelwise.tracking.refusals import explain_refusal

    try:
        yield
    except (MlflowException, SQLAlchemyError, RequestException, CommandError) as error:
        refusal = explain_refusal(error, uri)
        fails = isinstance(error, OperationalError | RequestException) or getattr(error, "error_code", "") in FAILING
        kind = UnreachableError if fails and not refusal else RegistryError
        # MLflow's message may contain the whole address.
        reason = refusal or redact_secrets(str(error).partition("\n")[0], uri)
        raise kind(f"{redact_uri(uri)}: {reason}") from error


def read_git_commit(folder: Path | None = None) -> str:
    """The commit checked out in `folder` (default: the working directory), with `-dirty` where tracked files differ.

    "" where there is no repository; "" and a notice with git's own reason where git refuses one that is there.
    """
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    except OSError:
        return ""
    except subprocess.CalledProcessError as error:
        if "not a git repository" not in error.stderr:
            print_notice(f"no commit is recorded: git says: {' '.join(error.stderr.split())}")
        return ""


def print_notice(words: str) -> None:
    """Print one line about tracking to standard error."""
    print(f"tracking: {words}", file=sys.stderr)
