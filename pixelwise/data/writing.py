"""Write the items of a data set as prepared data, and put what is unusable in quarantine."""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pixelwise.data.item_inspection import Accepted, Rejected, inspect_item
from pixelwise.data.items import Item, RawData
from pixelwise.data.prepared import DATASET_FILE
from pixelwise.data.prepared_writer import PreparedWriter
from pixelwise.errors import DataError
from pixelwise.files import write_json
from pixelwise.progress import progress

# Pillow decodes outside Python's lock; beyond two threads, the rest of the work holds it.
THREADS = 2
NAMED = 3


def write_items(raw: RawData, writer: PreparedWriter, max_pixels: int) -> list[Rejected]:
    """Examine every item and write those that pass, in their order; returns those that do not."""
    rejected: list[Rejected] = []
    seen: dict[str, str] = {}
    results = in_order(lambda item: inspect_item(item, raw, max_pixels), raw.items)
    for item, result in progress(results, f"ingest {raw.name}", total=len(raw.items)):
        if item.id in seen:
            rejected.append(Rejected(item.id, item.split, "", f"id {item.id}: listed again, first in {seen[item.id]}"))
        elif isinstance(result, Accepted):
            writer.add(result)
        else:
            rejected.append(result)
        seen.setdefault(item.id, item.split)
    return rejected


def in_order(
    function: Callable[[Item], Accepted | Rejected], items: Iterable[Item]
) -> Iterator[tuple[Item, Accepted | Rejected]]:
    """Each item with `function` of it, in order, computed by a few threads a few items ahead."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[tuple[Item, Future[Accepted | Rejected]]] = deque()
        for item in items:
            # A short queue, because a generated item carries its pictures.
            if len(waiting) >= 4 * THREADS:
                first, future = waiting.popleft()
                yield first, future.result()
            waiting.append((item, pool.submit(function, item)))
        for first, future in waiting:
            yield first, future.result()


def judge(rejected: list[Rejected], total: int, limit: float, out: Path) -> None:
    """Raise DataError where too large a share is unusable, and leave the list of reasons beside `out`."""
    report = out.with_name(f"{out.name}.quarantine.json")
    if len(rejected) <= limit * total and len(rejected) < total:
        report.unlink(missing_ok=True)
        return
    write_json(report, quarantine(rejected, total, limit))
    first = "; ".join(item.reason for item in rejected[:NAMED])
    more = f"; … all in {report}" if len(rejected) > NAMED else f"; see {report}"
    raise DataError(f"{len(rejected)} of {total} items are unusable, expected at most {limit:.1%}: {first}{more}")


def quarantine(rejected: list[Rejected], total: int, limit: float) -> dict[str, Any]:
    """The content of quarantine.json."""
    return {"share": len(rejected) / total, "limit": limit, "items": [asdict(item) for item in rejected]}


def require_replaceable(out: Path) -> None:
    """Raise DataError where `out` holds something that ingest did not write."""
    if out.exists() and not (out.is_dir() and ((out / DATASET_FILE).is_file() or not any(out.iterdir()))):
        raise DataError(f"out {out}: exists and is no prepared data, expected a new folder")


def replace(new: Path, out: Path) -> None:
    """Put the folder `new` in the place of `out`."""
    if out.exists():
        shutil.rmtree(out)
    new.replace(out)
