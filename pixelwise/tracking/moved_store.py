"""An SQLite store of MLflow whose folder was moved, copied or mounted elsewhere.

MLflow records the folder of every artifact with its whole path. A moved checkout would write into its old folder, and a
copy would read the original's files.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

ARTIFACTS = "mlartifacts"
# Table -> the column that has the place of its artifacts.
PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


def find_artifact_folder(database: Path) -> Path:
    """The folder of the artifacts of a store: beside its database file."""
    return database.parent.resolve() / ARTIFACTS


def follow_move(database: Path) -> None:
    """Correct the places of the artifacts in the SQLite file `database` to the folder beside it.

    Places that somebody else chose stay: those that do not end with mlartifacts/EXPERIMENT, and those that exist while
    there is no such folder here.
    """
    here = find_artifact_folder(database)
    with closing(sqlite3.connect(database)) as store, store:
        locations = [row[0] for row in store.execute("SELECT artifact_location FROM experiments")]
        for recorded in {location.rpartition("/")[0] for location in locations if location}:
            folder = Path(unquote(urlsplit(recorded).path))
            is_ours = folder.name == ARTIFACTS and urlsplit(recorded).scheme in ("", "file")
            if is_ours and folder.resolve() != here.resolve() and (here.is_dir() or not folder.is_dir()):
                replace_prefix(store, f"{recorded}/", f"{here.as_uri()}/")


def replace_prefix(store: sqlite3.Connection, old: str, new: str) -> None:
    """Replace the start `old` of every place that has it."""
    for table, column in PLACES.items():
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",  # noqa: S608 - constants
            (new, len(old) + 1, len(old), old),
        )
