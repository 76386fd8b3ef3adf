"""Ingest a data set: decode every file once, write shards and a manifest, put unusable items in quarantine."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pixelwise import command
from pixelwise.data.archives import open_root
from pixelwise.data.class_choice import choose_classes
from pixelwise.data.items import RawData
from pixelwise.data.kinds import find_kind
from pixelwise.data.prepared import QUARANTINE_FILE
from pixelwise.data.prepared_writer import PreparedWriter
from pixelwise.data.read_params import ReadParams
from pixelwise.data.readers import READERS, read_dataset
from pixelwise.data.town import TownParams, generate
from pixelwise.data.writing import judge, quarantine, replace, require_replaceable, write_items
from pixelwise.files import write_json

DATASETS = ("town", *READERS)


def require_known_dataset(name: str) -> str:
    """Return `name` if it is a data set. Raises PydanticCustomError, which is reported as a bad key of params.yaml."""
    if name not in DATASETS:
        raise PydanticCustomError("dataset", f"one of {', '.join(DATASETS)}")
    return name


class IngestParams(ReadParams):
    """Section `ingest` of params.yaml."""

    renamed: ClassVar = {"max_bad_share": "max_quarantined_share"}

    dataset: Annotated[str, AfterValidator(require_known_dataset)] = Field(
        default="town", description=f"one of {', '.join(DATASETS)}"
    )
    root: Path | None = Field(
        default=None, description="folder or archive of the data set, or a video; unused for town"
    )
    town: TownParams = Field(default_factory=TownParams, description="options of the generated town")
    max_quarantined_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="maximum share of items in quarantine; ingest fails above it",
    )
    # Pillow refuses pictures above the upper bound.
    max_pixels: int = Field(
        default=50_000_000, gt=0, le=178_956_970, description="maximum number of pixels of a picture"
    )


@dataclass(frozen=True)
class IngestReport:
    """Where ingest wrote the data, its items by split, the number of items in quarantine, and the reader's notes."""

    out: Path
    name: str
    splits: dict[str, int]
    quarantined: int
    notes: list[str]

    def __str__(self) -> str:
        splits = ", ".join(f"{count:,} {split}" for split, count in self.splits.items())
        quarantine = f"; {self.quarantined} in {self.out / QUARANTINE_FILE}" if self.quarantined else ""
        following = f"next: pixelwise validate --data {self.out} --out reports/validate"
        return "\n".join([f"{self.name}: {splits}{quarantine}", *self.notes, following])


def run(params: IngestParams, out: Annotated[Path, "folder for the prepared data"]) -> IngestReport:
    """Read the data set once into shards and a manifest under `out`.

    Raises DataError where the root does not have the data set's layout, no item is usable, or the share of unusable
    items is above max_quarantined_share. In the last two cases <out>.quarantine.json, beside `out`, has the reasons.
    """
    shown_out, out = out, out.resolve() if out.is_symlink() or not out.name else out
    require_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Beside `out`, not in /tmp: an archive may be larger than /tmp, and a rename must not cross file systems.
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
    return IngestReport(shown_out, raw.name, writer.splits, len(rejected), raw.notes.lines())


def read_raw(params: IngestParams, work: Path) -> RawData:
    """Open the data set that `params` names, its files still encoded; unpack an archive under `work`."""
    if params.dataset == "town":
        return choose_classes(generate(params.town), params.classes)
    if params.dataset == "video" and params.root is not None and find_kind(params.root) == "video":
        return read_dataset(params.dataset, params.root, params)
    return read_dataset(params.dataset, open_root(params.root, work), params)


def main(argv: list[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, "ingest", argv)


if __name__ == "__main__":
    main()
