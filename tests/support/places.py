"""The places in which people use a checkout: a worktree, a copy, behind a server, with another owner, after a cut."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.registry.ledger import ENTRY_TAG, LEDGER

COMMANDS = Path(sys.executable).parent
# What tells a command where to look, or in which encoding to speak: a place sets its own.
OURS = ("MLFLOW", "PREFECT", "PYTHON", "LC_", "LANG", "VIRTUAL_ENV")
SECONDS = 600


@dataclass
class Place:
    """A checkout that has released versions 1 to `champion` of fcn, with what a command there finds around it.

    database: the SQLite file of its store, or of the server that it uses. name: fcn's name in the registry. edit: sets
    the parameters of the next version. is_trained: whether that version's training has run already. during: lasts as
    long as a command. others: files and folders that no command may change.
    """

    folder: Path
    database: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = "fcn"
    champion: int = 2
    edit: Callable[[], object] = lambda: None
    is_trained: bool = False
    during: Callable[[], AbstractContextManager] = nullcontext
    others: tuple[Path, ...] = ()

    def __call__(self, *command: str) -> tuple[int, str]:
        """The status of a command that a user types there, and all that it prints."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        path = {"PATH": os.pathsep.join((str(COMMANDS), os.environ["PATH"])), "DVC_NO_ANALYTICS": "1"}
        done = subprocess.run(
            command, cwd=self.folder, env=kept | path | dict(self.environment), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=SECONDS,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="replace")

    def ask(self, question: str, *values: str) -> list[tuple]:
        """The rows that the store's database has; none where there is no store yet."""
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(self.database)) as store:
            return store.execute(question, values).fetchall()

    def aliases(self) -> dict[str, int]:
        """The versions of fcn by alias."""
        return dict(self.ask("SELECT alias, version FROM registered_model_aliases WHERE name = ?", self.name))

    def finished_runs(self) -> set[str]:
        """The ids of the finished runs, and the local ids of those that were kept offline first."""
        local = "SELECT value FROM tags WHERE key = 'local_run_id'"
        return {run for (run,) in self.ask(f"SELECT run_uuid FROM runs WHERE status = 'FINISHED' UNION {local}")}

    def run_id(self) -> str:
        """The run of the training whose result lies there."""
        return json.loads((self.folder / "models/fcn/checkpoint/run.json").read_text())["run_id"]

    def changes(self) -> list[tuple[str, str]]:
        """Act and version of each change of the champion. The store's ledger and the file agree on those they share."""
        tags = self.ask(
            "SELECT value FROM registered_model_tags WHERE name = ? AND key LIKE ?", self.name, f"{ENTRY_TAG}%"
        )
        entries = sorted((json.loads(value) for (value,) in tags), key=lambda entry: entry["time"])
        file = self.folder / LEDGER
        assert [line for line in read_lines(file) if line not in entries] == []
        return [(entry["act"], entry["version"]) for entry in entries]

    def records(self) -> set[object]:
        """All that no command may lose: runs, versions, the ledger, DVC's cache and what others have in the store."""
        rows = [
            *self.ask("SELECT run_uuid, experiment_id FROM runs"),
            *self.ask("SELECT name, version, source FROM model_versions"),
            *self.ask("SELECT name, key, value FROM registered_model_tags WHERE key LIKE ?", f"{ENTRY_TAG}%"),
            *self.ask("SELECT * FROM registered_model_aliases WHERE name != ?", self.name),
        ]
        artifacts = "mlartifacts/**/*" if self.database.name == "mlflow.db" else "kept/**/*"
        files = [*self.folder.glob(".dvc/cache/files/*/*/*"), *self.database.parent.glob(artifacts)]
        return {*rows, *map(json.dumps, read_lines(self.folder / LEDGER)), *(str(file) for file in files)}

    def surroundings(self) -> set[tuple]:
        """All that lies outside of the checkout and shall stay as it is, but for what Python compiles."""
        beside = {(path, 0, 0) for path in self.folder.parent.iterdir()}
        files = (file for other in self.others for file in (other, *other.rglob("*")))
        kept = [file for file in files if file.is_file() and file.parent.name != "__pycache__"]
        return beside | {(file, file.stat().st_size, file.stat().st_mtime_ns) for file in kept}


def read_lines(file: Path) -> list[dict]:
    """The JSON objects of a file, one a line; none if it does not exist."""
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
