"""Write the items of a data set as prepared data, and list unusable items in quarantine."""

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

# Pillow decodes without the GIL. With more than two threads, the remaining work is limited by the GIL.
THREADS = 2
NAMED = 3


def write_items(raw: RawData, writer: PreparedWriter, max_pixels: int) -> list[Rejected]:
    """Inspect all items and write the accepted ones in order; return the rejected ones."""
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
    """Yield each item with the result of `function`, in order; THREADS threads compute a few items ahead."""
    with ThreadPoolExecutor(THREADS) as pool:
        waiting: deque[tuple[Item, Future[Accepted | Rejected]]] = deque()
        for item in items:
            # The queue is short, because a generated item holds its pictures in memory.
            if len(waiting) >= 4 * THREADS:
                first, future = waiting.popleft()
                yield first, future.result()
            waiting.append((item, pool.submit(function, item)))
        for first, future in waiting:
            yield first, future.result()


def judge(rejected: list[Rejected], total: int, limit: float, out: Path) -> None:
    """Raise DataError if all items or a share above `limit` are unusable, and write the reasons beside `out`."""
    report = out.with_name(f"{out.name}.quarantine.json")
    if len(rejected) <= limit * total and len(rejected) < total:
        report.unlink(missing_ok=True)
        return
    write_json(report, quarantine(rejected, total, limit))
    first = "; ".join(item.reason for item in rejected[:NAMED])
    more = f"; … all in {report}" if len(rejected) > NAMED else f"; see {report}"
    raise DataError(f"{len(rejected)} of {total} items are unusable, expected at most {limit:.1%}: {first}{more}")


def quarantine(rejected: list[Rejected], total: int, limit: float) -> dict[str, Any]:
    """Make the content of quarantine.json."""
    return {"share": len(rejected) / total, "limit": limit, "items": [asdict(item) for item in rejected]}


def require_replaceable(out: Path) -> None:
    """Raise DataError if `out` exists and is neither prepared data nor an empty folder."""
    if out.exists() and not (out.is_dir() and ((out / DATASET_FILE).is_file() or not any(out.iterdir()))):
        raise DataError(f"out {out}: exists and is no prepared data, expected a new folder")


def replace(new: Path, out: Path) -> None:
    """Replace the folder `out` by the folder `new`."""
    if out.exists():
        shutil.rmtree(out)
    new.replace(out)
