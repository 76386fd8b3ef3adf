"""Read prepared data, the output of ingest, by split and index.

pyarrow reads the memory-mapped shards, one small row group at a time. Hugging Face `datasets` would first copy them
into its cache, and Arrow's reader already has random access.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pixelwise.data.image_codec import decode_image, decode_map
from pixelwise.data.items import Classes
from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.identity import sha256_file

DATASET_FILE = "dataset.json"
MANIFEST_FILE = "manifest.parquet"
QUARANTINE_FILE = "quarantine.json"
SHARDS_FOLDER = "shards"
# Keys of dataset.json that are required and read.
DESCRIBED = ("name", "classes", "palette", "layers", "manifest_sha256")


@dataclass(frozen=True)
class Sample:
    """One labelled picture: image (H, W, 3) uint8 RGB, label (H, W) uint8 with 255 = void, and requested layers."""

    id: str
    image: np.ndarray
    label: np.ndarray
    layers: Mapping[str, np.ndarray] = field(default_factory=dict)


class PreparedData:
    """The prepared data set under `root`. Opening it reads the manifest, but no picture.

    >>> from pathlib import Path
    >>> import pixelwise
    >>> data = pixelwise.PreparedData(Path("data/prepared"))
    >>> data.classes.names, data.splits
    (('red', 'green', 'blue'), ('val',))
    >>> sample = data.split("val")[0]
    >>> sample.image.shape, sample.label.shape
    ((24, 32, 3), (24, 32))

    Raises DataError unless `root` is complete output of `pixelwise ingest`.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        described = read_description(self.root)
        self.name: str = described["name"]
        self.classes = Classes(
            names=tuple(described["classes"]),
            palette=tuple((red, green, blue) for red, green, blue in described["palette"]),
        )
        self.layers: tuple[str, ...] = tuple(described["layers"])
        self.manifest = read_manifest(self.root / MANIFEST_FILE, described["manifest_sha256"])
        for shard in self.manifest["shard"].unique().to_pylist():
            if not (self.root / shard).is_file():
                raise DataError(f"prepared data {self.root}: no {shard}, expected it from the manifest; ingest again")

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, in manifest order."""
        return tuple(self.manifest["split"].unique().to_pylist())

    def split(self, name: str) -> "PreparedSplit":
        """Open split `name`, or several (`train+train_sbd`); items are in manifest order.

        Raises DataError if a split does not exist.
        """
        names = name.split("+")
        for part in names:
            if part not in self.splits:
                raise DataError(
                    f"prepared data {self.root}: no split {part}, expected one of: {', '.join(self.splits)}"
                )
        rows = self.manifest.filter(pc.is_in(self.manifest["split"], pa.array(names)))
        return PreparedSplit(name, self.classes, rows.to_pylist(), Shards(self.root))


class PreparedSplit(Sequence[Sample]):
    """One split, decoded on demand. It is thread-safe and can be pickled to other processes.

    `rows` are the items' manifest rows, so that a sampler can choose items without decoding them.
    """

    def __init__(
        self,
        name: str,
        classes: Classes,
        rows: list[dict[str, Any]],
        shards: "Shards",
        layers: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.classes = classes
        self.rows = rows
        self.layers = layers
        self._shards = shards

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            # A slice is a split too, so nothing is decoded until it is indexed.
            return PreparedSplit(self.name, self.classes, self.rows[index], self._shards, self.layers)
        image, label, *layers = self.read(index, "image", "label", *self.layers)
        return Sample(
            id=self.rows[index]["id"],
            image=decode_image(image),
            label=decode_map(label),
            layers={name: decode_map(layer) for name, layer in zip(self.layers, layers, strict=True)},
        )

    def with_layers(self, *names: str) -> "PreparedSplit":
        """Return the same items with these layers. Indexing raises DataError if a layer does not exist."""
        return PreparedSplit(self.name, self.classes, self.rows, self._shards, names)

    def image(self, index: int) -> np.ndarray:
        """Read the image of one item, (H, W, 3) uint8 RGB."""
        return decode_image(self.read(index, "image")[0])

    def label(self, index: int) -> np.ndarray:
        """Read the label of one item, (H, W) uint8, 255 = void."""
        return decode_map(self.read(index, "label")[0])

    def layer(self, index: int, name: str) -> np.ndarray:
        """Read the layer `name` of one item.

        (H, W): "instance" uint16, "depth" uint16 centimetres, "geometry" uint8. (H, W, 3): "hha" uint8.

        Raises DataError if the data set has no such layer.
        """
        return decode_map(self.read(index, name)[0])

    def read(self, index: int, *columns: str) -> list[bytes]:
        """Read encoded cells of one item, such as "image" and "label".

        Raises DataError if the shard is damaged or lacks a column.
        """
        row = self.rows[index]
        return self._shards.read(row["shard"], row["row"], columns)


class Shards:
    """Random access to the shards under `root`; each thread of each process opens its own files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open = threading.local()

    def __reduce__(self) -> tuple[type["Shards"], tuple[Path]]:
        return Shards, (self.root,)

    def read(self, shard: str, row: int, columns: Sequence[str]) -> list[bytes]:
        """Read the encoded `columns` of one row. Raises DataError if the shard is damaged or lacks a column."""
        try:
            file = self._file(shard)
            group, offset = divmod(row, file.metadata.row_group(0).num_rows)
            # Arrow's own threads would compete with the loader's, and do not survive a fork.
            table = file.read_row_group(group, columns=list(columns), use_threads=False)
            return [table[column][offset].as_py() for column in columns]
        except (OSError, pa.ArrowException, IndexError) as error:
            raise DataError(f"{self.root / shard}: row {row}: {error}; ingest again") from None
        except KeyError:
            present = [name for name in self._file(shard).schema_arrow.names if name != "id"]
            missing = " and no ".join(name for name in columns if name not in present)
            raise DataError(f"{self.root / shard}: no {missing}, expected one of: {', '.join(present)}") from None

    def _file(self, shard: str) -> pq.ParquetFile:
        opened = self._open.__dict__
        if shard not in opened:
            opened[shard] = pq.ParquetFile(self.root / shard, memory_map=True, page_checksum_verification=True)
        return opened[shard]


def read_description(root: Path) -> dict[str, Any]:
    """Read dataset.json. Raises DataError if `root` is not prepared data."""
    for name in (DATASET_FILE, MANIFEST_FILE):
        if not (root / name).is_file():
            raise DataError(f"prepared data {root}: no {name}, expected what `pixelwise ingest --out {root}` writes")
    described: dict[str, Any] = read_json(root / DATASET_FILE, "what `pixelwise ingest` writes")
    for key in DESCRIBED:
        if key not in described:
            raise DataError(f"{root / DATASET_FILE}: no {key}, expected {', '.join(DESCRIBED)}; ingest again")
    return described


def read_manifest(file: Path, sha256: str | None = None) -> pa.Table:
    """Read the manifest, one row per item. Raises DataError if it is damaged or its hash is not `sha256`."""
    if sha256 is not None and (found := sha256_file(file)) != sha256:
        raise DataError(f"{file}: sha256 {found[:12]}…, expected {sha256[:12]}… as dataset.json has it; ingest again")
    try:
        return pq.read_table(file, memory_map=True)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{file}: {' '.join(str(error).split())}; ingest again") from None
