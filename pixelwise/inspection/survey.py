"""Look at every item of a source once, and judge what was seen by the checks of `pixelwise validate`."""

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pixelwise.data.image_codec import decode_image, decode_map, open_image
from pixelwise.data.item_inspection import Accepted, Rejected
from pixelwise.data.items import Classes
from pixelwise.data.orientation import UPRIGHT, read_orientation
from pixelwise.errors import DataError
from pixelwise.inspection.contact_sheet import Tile, choose_tiles, draw_tile
from pixelwise.inspection.source import Source
from pixelwise.validation.checks import Check, list_data_checks
from pixelwise.validation.data_summary import JUDGED_COLUMNS, DataSummary
from pixelwise.validation.expectations import run_checks
from pixelwise.validation.limits import Limits
from pixelwise.validation.picture_sample import SampledPicture, make_sample_tables
from pixelwise.validation.tables import Tables, build_tables
from pixelwise.validation.verdict import Finding

# Columns that are judged where there are no labels.
OF_PICTURES = ("short_side", "size_ratio", "contrast", "same_picture_across_splits", "same_picture_in_split")


@dataclass(frozen=True)
class Survey:
    """What was seen. orientations: EXIF orientation other than upright -> its pictures. tiles: those of the page."""

    path: Path
    source: Source
    summary: DataSummary
    tables: Tables
    findings: tuple[Finding, ...]
    orientations: dict[int, int]
    tiles: tuple[Tile, ...]

    @property
    def is_labelled(self) -> bool:
        """Whether the data has classes."""
        return len(self.summary.classes) > 0

    @property
    def suspicious(self) -> list[Finding]:
        """Failed checks, errors before warnings."""
        failed = [finding for finding in self.findings if not finding.passed]
        return sorted(failed, key=lambda finding: finding.severity == "warning")

    @property
    def sizes(self) -> list[tuple[str, int]]:
        """(width×height, pictures), the most frequent first."""
        return Counter(self.tables["items"]["image_size"]).most_common()


def survey(path: Path, source: Source, limits: Limits) -> Survey:
    """Look at all items of `source`. Raises DataError if none is usable, with the first reasons."""
    looked = Looked(source.classes)
    for result in source.results:
        looked.add(result)
    rejected = [*source.rejected, *looked.rejected]
    if not looked.rows:
        reasons = "; ".join(each.reason for each in rejected[:3])
        raise DataError(f"{path}: none of {source.total} pictures is usable: {reasons}")
    summary = DataSummary(
        name=source.format,
        classes=source.classes,
        manifest=pd.DataFrame(looked.rows, columns=[*JUDGED_COLUMNS, "pixels"]),
        manifest_sha256="",
        quarantine=pd.DataFrame(map(asdict, rejected), columns=["id", "split", "file", "reason"], dtype=object),
        quarantined_share=len(rejected) / (len(rejected) + len(looked.rows)),
    )
    tables = build_tables(summary, required=limits.min_images if source.classes else {})
    tables |= make_sample_tables(looked.sample, tables["items"], source.classes)
    findings = tuple(run_checks(list_checks(limits, len(source.classes)), tables))
    tiles = tuple(choose_tiles(looked.tiles, findings))
    return Survey(path, source, summary, tables, findings, dict(looked.orientations), tiles)


def list_checks(limits: Limits, classes: int) -> list[Check]:
    """The checks of validate; without classes, those of pictures alone."""
    checks = list_data_checks(limits, classes=max(1, classes))
    if classes:
        return checks
    files = ("files", "quarantine")
    return [check for check in checks if check.columns[0] in OF_PICTURES or check.table in files]


class Looked:
    """What was seen so far."""

    def __init__(self, classes: Classes) -> None:
        self.classes = classes
        self.rows: list[dict[str, Any]] = []
        self.rejected: list[Rejected] = []
        self.sample: list[SampledPicture] = []
        self.tiles: list[Tile] = []
        self.orientations: Counter[int] = Counter()

    def add(self, result: Accepted | Rejected) -> None:
        """Note an unusable item, or note a usable one and compare its picture with its mask."""
        if isinstance(result, Rejected):
            self.rejected.append(result)
            return
        row, stored = result.row, result.cells["image"]
        image, label = decode_image(stored), decode_map(result.cells["label"])
        self.rows.append(row)
        if (tag := read_orientation(open_image(stored))) != UPRIGHT:
            self.orientations[tag] += 1
        self.sample.append(SampledPicture.from_arrays(row["id"], row["split"], image, label, len(self.classes)))
        self.tiles.append(draw_tile(row, image, label, self.classes.palette))
