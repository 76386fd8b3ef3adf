"""Ingest a data set: decode every file once, write shards and a manifest, put what is unusable in quarantine."""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pixelwise import command
from pixelwise.data.archives import open_root
from pixelwise.data.examine import Accepted, Rejected, examine
from pixelwise.data.items import Item, RawData
from pixelwise.data.prepared import DATASET_FILE, QUARANTINE_FILE
from pixelwise.data.readers import READERS, read_dataset
from pixelwise.data.shards import PreparedWriter
from pixelwise.data.town import TownParams, generate
from pixelwise.data.video import is_video
from pixelwise.errors import DataError
from pixelwise.files import write_json
from pixelwise.params import Params
from pixelwise.progress import progress

DATASETS = ("town", *READERS)
# Pillow decodes outside Python's lock; beyond two threads, the rest of the work holds it.
THREADS = 2
NAMED = 3


def known_dataset(name: str) -> str:
    """`name`, where it is a data set. Raises what pydantic reports as a bad key of params.yaml."""
    if name not in DATASETS:
        raise PydanticCustomError("dataset", f"one of {', '.join(DATASETS)}")
    return name


class IngestParams(Params):
    """Section `ingest` of params.yaml."""

    renamed: ClassVar = {"max_bad_share": "max_quarantined_share"}

    dataset: Annotated[str, AfterValidator(known_dataset)] = Field(
        default="town", description=f"one of {', '.join(DATASETS)}"
    )
    root: Path | None = Field(
        default=None, description="folder or archive that the data set lies in, or a video; unused for town"
    )
    town: TownParams = Field(default_factory=TownParams, description="the generated town")
    max_quarantined_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of items in quarantine above which ingest fails",
    )
    # The upper bound is where Pillow itself refuses.
    max_pixels: int = Field(
        default=50_000_000, gt=0, le=178_956_970, description="pixels of the largest picture allowed"
    )


@dataclass(frozen=True)
class IngestReport:
    """What ingest wrote where."""

    out: Path
    name: str
    splits: dict[str, int]
    quarantined: int

    def __str__(self) -> str:
        splits = ", ".join(f"{count:,} {split}" for split, count in self.splits.items())
        quarantine = f"; {self.quarantined} in {self.out / QUARANTINE_FILE}" if self.quarantined else ""
        return f"{self.name}: {splits}{quarantine}\nnext: pixelwise validate --data {self.out} --out reports/validate"


def run(params: IngestParams, out: Annotated[Path, "folder to write the prepared data to"]) -> IngestReport:
    """Read the data set once into shards and a manifest under `out`.

    Raises DataError where the root or its layout is not the data set's, nothing is usable, or more than
    max_quarantined_share is not; the reasons then lie beside `out`, in <out>.quarantine.json.
    """
    given, out = out, out.resolve() if out.is_symlink() or not out.name else out
    require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside the result, not in /tmp: archives may be larger than it, and a rename must not cross disks.
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as temporary:
        work = Path(temporary)
        raw = read_raw(params, work)
        with PreparedWriter(work / "prepared", raw) as writer:
            rejected = write_items(raw, writer, params.max_pixels)
            judge(rejected, total=len(raw.items), limit=params.max_quarantined_share, out=out)
            writer.finish()
        write_json(
            work / "prepared" / QUARANTINE_FILE, quarantine(rejected, len(raw.items), params.max_quarantined_share)
        )
        replace(work / "prepared", out)
    return IngestReport(given, raw.name, writer.splits, len(rejected))


def read_raw(params: IngestParams, work: Path) -> RawData:
    """The data set that `params` names, its files still encoded; an archive is unpacked under `work`."""
    if params.dataset == "town":
        return generate(params.town)
    if params.dataset == "video" and params.root is not None and is_video(params.root):
        return read_dataset(params.dataset, params.root)
    return read_dataset(params.dataset, open_root(params.root, work))


def write_items(raw: RawData, writer: PreparedWriter, max_pixels: int) -> list[Rejected]:
    """Examine every item and write those that pass, in their order; returns those that do not."""
    rejected: list[Rejected] = []
    seen: dict[str, str] = {}
    results = in_order(lambda item: examine(item, raw, max_pixels), raw.items)
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


def main(argv: list[str] | None = None) -> None:
    """`pixelwise ingest`."""
    command.main(run, "ingest", argv)


if __name__ == "__main__":
    main()
