"""The ledger: an entry for every change of the champion, since MLflow keeps no history of aliases.

Each entry is a tag of its own on the registered model, so every checkout that uses the server sees it, and no writer
overwrites another. promotions.jsonl has a copy of what its checkout changed: it can be read without the server, and it
outlives a registered model that somebody deletes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.errors import RegistryError
from pixelwise.file_lock import hold_lock
from pixelwise.files import write_text
from pixelwise.registry.names import search_models

if TYPE_CHECKING:
    from mlflow import MlflowClient

LEDGER = Path("promotions.jsonl")
ENTRY_TAG = "champion_change."
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class ChampionPeriod:
    """The period in which a version was champion. until: None if it still is. entry: its entry in the ledger."""

    entry: Entry
    since: datetime
    until: datetime | None

    def covers(self, day: date) -> bool:
        """Whether the version was champion at some time of `day` (UTC)."""
        return self.since.date() <= day and (self.until is None or day <= self.until.date())


def list_champion_periods(entries: Sequence[Entry], name: str) -> list[ChampionPeriod]:
    """The champion periods of the model `name`, oldest first."""
    mine = [(entry, read_time(entry)) for entry in entries if entry["name"] == name]
    ends: list[datetime | None] = [*(since for _, since in mine[1:]), None]
    return [ChampionPeriod(entry, since, until) for (entry, since), until in zip(mine, ends[: len(mine)], strict=True)]


def read_time(entry: Entry) -> datetime:
    """The time of an entry (UTC)."""
    return datetime.fromisoformat(entry["time"]).astimezone(UTC)


def merge_entries(*ledgers: Sequence[Entry]) -> list[Entry]:
    """The entries that are in any of the `ledgers`, each once, oldest first."""
    merged: list[Entry] = []
    for entry in (entry for ledger in ledgers for entry in ledger):
        if entry not in merged:
            merged.append(entry)
    return sorted(merged, key=read_time)


def share_entry(client: "MlflowClient", entry: Entry) -> None:
    """Store `entry` with the registered model. Repeating it changes nothing."""
    client.set_registered_model_tag(entry["name"], f"{ENTRY_TAG}{entry['id']}", json.dumps(entry))


def read_shared_entries(client: "MlflowClient") -> list[Entry]:
    """Read the entries that all checkouts stored with the registered models of this project."""
    return [
        json.loads(value)
        for model in search_models(client)
        for key, value in model.tags.items()
        if key.startswith(ENTRY_TAG)
    ]


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Read the changes in the file `path`, oldest first; none if it does not exist.

    Raises RegistryError naming the first line that is not JSON.
    """
    if not path.exists():
        return []
    entries = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            raise RegistryError(f"{path}:{number}: found {line[:40]!r}, expected one JSON object a line") from None
    return entries


def append_once(path: Path, entry: Entry) -> None:
    """Append `entry` to `path` unless `path` has it already.

    The file is replaced atomically: an interruption leaves it either without the line or with the whole line.
    """
    with hold_lock(path.with_name(f"{path.name}.lock")):
        entries = read_ledger(path)
        if dict(entry) not in entries:
            write_text(path, "".join(json.dumps(line) + "\n" for line in [*entries, dict(entry)]))
