"""What became of mutants: the survivors, and the share that tests kill."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from support.mutations import PROJECT, Change, Mutant

# Changes that no test can notice, each with the reason.
EQUIVALENT = Path(__file__).parent / "equivalent_mutants.yaml"
# The quantile of the normal distribution for an interval of 95 %.
Z = 1.96


def describe(mutant: Mutant, change: Change) -> dict[str, Any]:
    """What tells a mutant from others, and holds after a change of its module elsewhere."""
    source = hashlib.sha256((PROJECT / mutant.module).read_bytes()).hexdigest()[:12]
    line = {"line": change.lines.start, "text": change.text, "before": change.before, "after": change.after}
    return {"module": mutant.module.as_posix(), "source": source, "place": mutant.place, **line}


def is_equivalent(row: dict[str, Any], known: Iterable[dict[str, str]]) -> bool:
    """Whether no test can notice the change of `row`: it is listed, or is one of `strict=True`, which states a fact."""
    if (row["before"], row["after"]) == ("True", "False") and "strict=True" in row["text"]:
        return True
    keys = ("module", "text", "before", "after")
    return any(all(entry[key] == row[key] for key in keys) for entry in known)


def find_interval(killed: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, `killed` of `count` (Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    share, weight = killed / count, Z**2 / count
    centre, reach = share + weight / 2, Z * math.sqrt(share * (1 - share) / count + weight / (4 * count))
    return (centre - reach) / (1 + weight), (centre + reach) / (1 + weight)


def summarise(rows: Sequence[dict[str, Any]], places: int) -> str:
    """The survivors, and the share that is killed by room and in all, without equivalent mutants."""
    known = yaml.safe_load(EQUIVALENT.read_text()) if EQUIVALENT.exists() else []
    judged = [row for row in rows if row["outcome"] == "killed" or not is_equivalent(row, known)]
    words = [
        f"{row['outcome']}: {row['module']}:{row['line']}: {row['before']}  →  {row['after']}"
        for row in judged
        if row["outcome"] != "killed"
    ]
    rooms = Counter(str(Path(row["module"]).parent) for row in judged)
    for room, count in sorted(rooms.items()):
        killed = sum(row["outcome"] == "killed" for row in judged if Path(row["module"]).parent == Path(room))
        words.append(f"{room}: {killed} of {count} killed")
    killed = sum(row["outcome"] == "killed" for row in judged)
    low, high = find_interval(killed, len(judged))
    words.append(
        f"{killed} of {len(judged)} mutants killed ({killed / max(len(judged), 1):.1%}, 95 % interval {low:.1%} to "
        f"{high:.1%}), and {len(rows) - len(judged)} equivalent; drawn from {places}"
    )
    return "\n".join(words)
