"""promotions.jsonl: one line a promotion, only ever added to, because MLflow keeps no history of aliases."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.errors import RegistryError
from components.files import write_text


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every promotion in `path`, oldest first; none where there is no file yet.

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


def add_once(path: Path, entry: Mapping[str, Any]) -> None:
    """Add `entry` at the end of `path`, unless it stands there already.

    The file is replaced as a whole, so that a cut leaves it without the line or with all of it.
    """
    entries = read_ledger(path)
    if dict(entry) not in entries:
        write_text(path, "".join(json.dumps(line) + "\n" for line in [*entries, dict(entry)]))
