"""promotions.jsonl: an append-only line for every change of the champion, since MLflow keeps no history of aliases."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pixelwise.errors import RegistryError
from pixelwise.files import write_text


@dataclass(frozen=True)
class ChampionPeriod:
    """The period in which a version was champion. until: None if it still is. entry: its line in the ledger."""

    entry: Mapping[str, Any]
    since: datetime
    until: datetime | None

    def covers(self, day: date) -> bool:
        """Whether the version was champion at some time of `day` (UTC)."""
        return self.since.date() <= day and (self.until is None or day <= self.until.date())


def list_champion_periods(entries: Sequence[Mapping[str, Any]], name: str) -> list[ChampionPeriod]:
    """The champion periods of the model `name`, oldest first."""
    mine = [
        (entry, datetime.fromisoformat(entry["time"]).astimezone(UTC)) for entry in entries if entry["name"] == name
    ]
    ends: list[datetime | None] = [*(since for _, since in mine[1:]), None]
    return [ChampionPeriod(entry, since, until) for (entry, since), until in zip(mine, ends[: len(mine)], strict=True)]


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Read the changes in `path`, oldest first; none if the file does not exist.

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


def append_once(path: Path, entry: Mapping[str, Any]) -> None:
    """Append `entry` to `path` unless `path` has it already.

    The file is replaced atomically: an interruption leaves it either without the line or with the whole line.
    """
    entries = read_ledger(path)
    if dict(entry) not in entries:
        write_text(path, "".join(json.dumps(line) + "\n" for line in [*entries, dict(entry)]))
