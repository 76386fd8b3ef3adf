"""Write prepared data: Parquet shards of encoded pictures, and a manifest with one row per item.

Equal items give equal bytes, so that DVC detects no change.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pixelwise.data.item_inspection import Accepted
from pixelwise.data.items import VOID, RawData
from pixelwise.data.prepared import DATASET_FILE, MANIFEST_FILE, SHARDS_FOLDER
from pixelwise.files import write_json
from pixelwise.identity import sha256_file

# A row is read by reading its row group. Small groups keep that cheap; groups of one row would bloat the footer.
ROWS_A_GROUP = 8
# Maximum manifest rows buffered in memory.
ROWS_A_BATCH = 1024
# DVC hashes and transfers whole files. Few large files are fast; a limit avoids a transfer of all data per change.
BYTES_A_SHARD = 256 * 2**20

MANIFEST = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "split", "clip")),
        ("frame", pa.int64()),
        *((name, pa.int32()) for name in ("height", "width", "label_height", "label_width")),
        *((name, pa.string()) for name in ("image_sha256", "dhash", "label_sha256")),
        *((name, pa.int32()) for name in ("label_min", "label_max")),
        ("void_share", pa.float64()),
        ("classes", pa.list_(pa.int32())),
        ("pixels", pa.list_(pa.int64())),
        *((name, pa.float64()) for name in ("mean_r", "mean_g", "mean_b", "std_r", "std_g", "std_b")),
        ("shard", pa.string()),
        ("row", pa.int32()),
    ]
)


class ShardWriter:
    """Writes the shards of one split under `root`; starts a new shard after BYTES_A_SHARD bytes."""

    def __init__(self, root: Path, split: str, layers: Sequence[str]) -> None:
        self.root = root
        self.split = split
        binary = [(name, pa.binary()) for name in ("image", "label", *layers)]
        self.schema = pa.schema([("id", pa.string()), *binary])
        self.shards = 0
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[dict[str, Any]] = []
        self._rows = self._bytes = 0

    def add(self, item: Accepted) -> dict[str, Any]:
        """Write the cells of `item`; return its manifest row with their shard and row number."""
        if self._bytes >= BYTES_A_SHARD:
            self.close()
        if self._writer is None:
            self._start()
        place = {"shard": self.name, "row": self._rows}
        self._waiting.append({"id": item.row["id"], **item.cells})
        self._rows += 1
        self._bytes += sum(map(len, item.cells.values()))
        if len(self._waiting) == ROWS_A_GROUP:
            self._flush()
        return item.row | place

    @property
    def name(self) -> str:
        """Path of the current shard, relative to the root."""
        return f"{SHARDS_FOLDER}/{self.split}-{self.shards - 1:05d}.parquet"

    def close(self) -> None:
        """Finish the current shard."""
        if self._writer is not None:
            self._flush()
            self._writer.close()
        self._writer = None

    def _start(self) -> None:
        self.shards += 1
        self._rows = self._bytes = 0
        path = self.root / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        # The cells are compressed pictures, so compression, dictionaries and statistics would only cost time.
        # The checksum detects a flipped bit, which would otherwise only change colours of a JPEG.
        self._writer = pq.ParquetWriter(
            path, self.schema, compression="none", use_dictionary=False, write_statistics=False, store_schema=False,
            write_page_checksum=True,
        )  # fmt: skip

    def _flush(self) -> None:
        if self._waiting and self._writer is not None:
            table = pa.Table.from_pylist(self._waiting, self.schema)
            self._writer.write_table(table, row_group_size=ROWS_A_GROUP)
        self._waiting = []


class PreparedWriter:
    """Writes a prepared data set under `root`: a context manager; call `finish` to complete the data set.

    splits: split -> number of items written.
    """

    def __init__(self, root: Path, raw: RawData) -> None:
        self.root = root
        self.raw = raw
        self.layers: tuple[str, ...] = ()
        self.splits: dict[str, int] = {}
        self._rows: list[dict[str, Any]] = []
        root.mkdir(parents=True, exist_ok=True)
        self._manifest = pq.ParquetWriter(root / MANIFEST_FILE, MANIFEST, store_schema=False)
        self._splits: dict[str, ShardWriter] = {}

    def __enter__(self) -> "PreparedWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After an error the shards are lost. Closing them on a full disk would fail again and hide the first error.
        self._close(*((OSError, pa.ArrowException) if kind else ()))

    def add(self, item: Accepted) -> None:
        """Write one item. The first item determines the layers of the data set."""
        if not self.splits:
            self.layers = tuple(name for name in item.cells if name not in ("image", "label"))
        split = item.row["split"]
        if split not in self._splits:
            self._splits[split] = ShardWriter(self.root, split, self.layers)
        self._rows.append(self._splits[split].add(item))
        self.splits[split] = self.splits.get(split, 0) + 1
        if len(self._rows) == ROWS_A_BATCH:
            self._pack()

    def _pack(self) -> None:
        """Write the buffered manifest rows. A buffer for all items would need a kilobyte per item."""
        if self._rows:
            self._manifest.write_batch(pa.RecordBatch.from_pylist(self._rows, MANIFEST))
        self._rows = []

    def _close(self, *passed_over: type[BaseException]) -> None:
        """Close all shards and the manifest; ignore errors of the types `passed_over`."""
        for writer in (*self._splits.values(), self._manifest):
            with suppress(*passed_over):
                writer.close()

    def finish(self) -> None:
        """Finish the shards and the manifest, and write dataset.json."""
        self._pack()
        self._close()
        description = {
            "name": self.raw.name,
            "classes": list(self.raw.classes.names),
            "palette": [list(colour) for colour in self.raw.classes.palette],
            "void": VOID,
            "layers": list(self.layers),
            "splits": self.splits,
            "manifest_sha256": sha256_file(self.root / MANIFEST_FILE),
        }
        write_json(self.root / DATASET_FILE, description)
