"""Verify stored files: prepared data against its manifest, DVC's cache and registered models against their hashes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pixelwise import command
from pixelwise.changes import run_dvc
from pixelwise.data.prepared import DATASET_FILE, PreparedData, PreparedSplit
from pixelwise.documents import read_text
from pixelwise.errors import DataError, ModelError, RegistryError
from pixelwise.identity import sha256_pixels
from pixelwise.progress import progress
from pixelwise.registry.ledger import LEDGER
from pixelwise.registry.names import search_models
from pixelwise.registry.references import resolve_model
from pixelwise.registry.versions import list_versions
from pixelwise.stage_inputs import LOCK_FILE
from pixelwise.tracking.store import (
    DEFAULT_STORE,
    connect_existing,
    parse_sqlite_path,
    redact_uri,
    resolve_store_uri,
    translate_errors,
)

NAMED = 5
DVC = Path(".dvc")


@dataclass(frozen=True)
class Verified:
    """Numbers of images, cached files and registered versions that match their hashes."""

    images: int
    files: int
    versions: int

    def __str__(self) -> str:
        return (
            f"intact: {self.images:,} images of the prepared data, {self.files:,} files of DVC's cache, "
            f"{self.versions} registered versions"
        )


class Tally:
    """Number of items compared so far, and the `faults` found, one line each."""

    def __init__(self) -> None:
        self.compared = 0
        self.faults: list[str] = []

    def note(self, fault: str | None) -> None:
        """Count one compared item; record its fault, if any."""
        self.compared += 1
        if fault:
            self.faults.append(fault)

    def require_items(self, place: Path | str, record: Path | None) -> None:
        """Record a fault where `record`, if there is one, names what is in `place` and nothing was compared there."""
        if record and not self.compared:
            self.faults.append(f"{place}: found nothing to compare, expected what {record} names")


def run(
    data: Annotated[Path, "folder of prepared data"] = Path("data/prepared"),
    cache: Annotated[Path | None, "folder of DVC's cache (default: that of `dvc cache dir`)"] = None,
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> Verified:
    """Compare prepared data, DVC's cache and registered models with their recorded hashes; skip what never was made.

    Nothing is repaired. Raises DataError naming what differs or is missing, or where there is nothing to compare;
    RegistryError where the store cannot be reached.
    """
    cache, uri = cache or find_cache(), resolve_store_uri(tracking)
    images, files, versions = verify_data(data), verify_cache(cache), verify_models(uri)
    lock = read_text(LOCK_FILE) if LOCK_FILE.exists() else ""
    images.require_items(data, LOCK_FILE if f"path: {data}\n" in lock else None)
    files.require_items(cache, LOCK_FILE if lock else None)
    versions.require_items(redact_uri(uri), LEDGER if LEDGER.exists() else None)
    if faults := [*images.faults, *files.faults, *versions.faults]:
        more = f"; … {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise DataError("; ".join(faults[:NAMED]) + more)
    if not images.compared + files.compared + versions.compared:
        raise DataError(f"{data}, {cache}: found nothing to verify, expected a checkout in which the pipeline ran")
    return Verified(images.compared, files.compared, versions.compared)


def find_cache() -> Path:
    """The folder of DVC's cache, which may be on another disk; DVC's default outside a checkout."""
    return Path(run_dvc("cache", "dir", project=Path()).strip() if DVC.is_dir() else DVC / "cache")


def verify_data(root: Path) -> Tally:
    """Decode every picture of the prepared data and compare it with its hash in the manifest."""
    tally = Tally()
    if not (root / DATASET_FILE).exists():
        return tally
    try:
        data = PreparedData(root)
    except DataError as error:
        tally.note(str(error))
        return tally
    for split in map(data.split, data.splits):
        for index in progress(range(len(split)), f"verify {split.name}", total=len(split)):
            tally.note(find_picture_fault(split, index, root))
    return tally


def find_picture_fault(split: PreparedSplit, index: int, root: Path) -> str | None:
    """Describe the fault of one item of the prepared data under `root`; None where it matches its hashes."""
    row = split.rows[index]
    try:
        arrays = {"image": split.image(index), "label": split.label(index)}
    except (DataError, OSError, SyntaxError) as error:
        return f"{root / row['shard']}: {row['id']}: {error}"
    for layer, values in arrays.items():
        if sha256_pixels(values) != row[f"{layer}_sha256"]:
            return f"{root / row['shard']}: {row['id']}: {layer} differs from its hash in the manifest; ingest again"
    return None


def verify_cache(cache: Path) -> Tally:
    """Compare every file of DVC's cache with its name, which is its MD5."""
    tally = Tally()
    files = sorted(cache.glob("files/md5/??/*"))
    for path in progress(files, "verify cache", total=len(files)):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        expected = path.parent.name + path.name.removesuffix(".dir")
        tally.note(None if digest == expected else f"{path}: found md5 {digest}, expected its name; delete it")
    return tally


def verify_models(uri: str) -> Tally:
    """Compare the files of every version of this project's models in the registry with the hashes registered."""
    tally = Tally()
    # A store that the user names must exist; the first training creates the default one.
    database = parse_sqlite_path(DEFAULT_STORE)
    if uri == DEFAULT_STORE and database and not database.exists():
        return tally
    client = connect_existing(uri)
    with translate_errors(uri):
        registered = [
            (model.name, version) for model in search_models(client) for version in list_versions(client, model.name)
        ]
    for name, version in registered:
        try:
            resolve_model(f"models:/{name}/{version}", uri)
        except (ModelError, RegistryError) as error:
            tally.note(str(error))
        else:
            tally.note(None)
    return tally


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise verify` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
