"""A data set of the Hugging Face Hub, or a folder in one of its formats, read with the library `datasets`.

A folder is either an "imagefolder", where each row of metadata.csv or metadata.jsonl names an image (`file_name`) and a
label (`<column>_file_name`), or Parquet files with two columns of images. Its huggingface.yaml defines the label values
and the other options.
"""

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import Field

from pixelwise.data.archives import DAMAGE_ERRORS, find_folder
from pixelwise.data.class_file import ClassFile
from pixelwise.data.items import Item, MapRows, RawData, make_bit_palette
from pixelwise.data.mask_survey import ItemMasks, plan_masks
from pixelwise.data.notes import Notes
from pixelwise.data.split_names import choose_held_out, find_split
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text, read_yaml
from pixelwise.errors import DataError
from pixelwise.params import Params, parse

if TYPE_CHECKING:
    from datasets import Dataset, Features

SOURCE_FILE = "huggingface.yaml"
LAYOUTS = ("metadata.csv", "metadata.jsonl", "*.parquet")


class SourceParams(Params):
    """Keys of huggingface.yaml, without those that it shares with classes.yaml: names, colours and values."""

    path: str | None = Field(None, description="organisation/name on the Hub, or a folder; none: this file's folder")
    config: str | None = Field(None, description="configuration of the data set")
    revision: str | None = Field(None, description="commit, tag or branch on the Hub")
    image: str = Field("image", description="column of the images")
    label: str | None = Field(None, description="column of the labels; none: the only other column of label maps")
    splits: dict[str, str] | None = Field(None, description="the data set's split -> split here; others are left out")


@dataclass(frozen=True)
class HuggingFaceItems:
    """The rows of all splits, read on demand.

    splits: split name here -> rows with an image and a label. folders: the allowed folders of files, first the data
    set's own.
    """

    splits: Mapping[str, "Dataset"]
    folders: Sequence[Path]

    def __len__(self) -> int:
        return sum(map(len, self.splits.values()))

    def __iter__(self) -> Iterator[Item]:
        for split, rows in self.splits.items():
            ids = [f"{split}/{number:06d}" for number in range(len(rows))]
            val = choose_held_out(set(ids)) if set(self.splits) == {"train"} else set()
            for id_, row in zip(ids, rows, strict=True):
                image, label = row["image"], row["label"]
                yield Item(
                    id=id_,
                    split="val" if id_ in val else split,
                    image=read_cell(image, self.folders) or b"",
                    label=MapRows(label) if isinstance(label, list) else read_cell(label, self.folders),
                )


def read(root: Path) -> RawData:
    """Read the data set under `root`. If train is the only split, a tenth of it becomes val, as for a plain folder.

    Raises DataError if the data set cannot be read, or its label column or label values are undefined, and ParamsError
    at a wrong key of huggingface.yaml.
    """
    folder = find_folder(root, is_dataset, f"{SOURCE_FILE} or {', '.join(LAYOUTS)}")
    file = folder / SOURCE_FILE
    found = read_yaml(file, "`names: [...]`", default={})
    source = parse(
        SourceParams, {key: found.pop(key) for key in [*found] if key in SourceParams.model_fields}, str(file)
    )
    tables = choose_splits(load_splits(folder, source), source, file)
    features = next(iter(tables.values())).features
    label = find_label_column(features, source, file)
    classes = parse(ClassFile, read_class_names(features[label], file, found) | found, str(file))
    palette = classes.colours or make_bit_palette(len(classes.names))
    if len(palette) != len(set(classes.names)):
        raise DataError(f"{file}: names: {len(set(classes.names))} different ones and {len(palette)} colours")
    items = HuggingFaceItems(
        splits={split: select_columns(table, source.image, label) for split, table in tables.items()},
        folders=(resolve_local_folder(folder, source), *list_cache_folders()),
    )
    notes = Notes()
    plan = plan_masks(ItemMasks(items), classes, file, notes)
    name = Path(source.path).name if source.path else "huggingface"
    return RawData(name, plan.classes, items, plan.label_values, notes, plan.rule)


def is_dataset(folder: Path) -> bool:
    """Whether `folder` contains huggingface.yaml, or one of the layouts directly or one level below."""
    return (folder / SOURCE_FILE).is_file() or any(
        find_files(folder, pattern) or find_files(folder, f"*/{pattern}") for pattern in LAYOUTS
    )


def load_splits(folder: Path, source: SourceParams) -> dict[str, "Dataset"]:
    """Load the splits: the data set's split name -> rows. Raises DataError with the library's message."""
    # The library reads these variables when it is imported, which happens here for the first time.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
    from datasets import load_dataset_builder

    local = resolve_local_folder(folder, source)
    try:
        if local.is_dir():
            require_no_addresses(local)
            builder = load_dataset_builder(str(local), source.config)
            for files in (builder.config.data_files or {}).values():
                for file in files:
                    require_inside([local], Path(file), "its card")
        else:
            builder = load_dataset_builder(str(source.path), source.config, revision=source.revision)
        builder.download_and_prepare()
        return builder.as_dataset()
    except DataError:
        raise
    except Exception as error:
        # The library, its file systems and pyarrow raise dozens of unrelated types.
        cause = error.__cause__ or error
        raise DataError(f"data set {source.path or folder}: {shorten(str(cause), 300)}") from None


def choose_splits(tables: Mapping[str, "Dataset"], source: SourceParams, file: Path) -> dict[str, "Dataset"]:
    """Choose and rename splits: split name here -> rows. Raises DataError at an unknown split or a duplicate name."""
    names = source.splits or {name: find_split(name) or name for name in tables}
    for name in names.keys() - tables.keys():
        raise DataError(f"{file}: splits: found {name}, expected any of: {', '.join(tables)}")
    if len(set(names.values())) < len(names):
        raise DataError(f"{file}: splits: found {', '.join(names.values())}, expected each once")
    return {ours: tables[name] for name, ours in names.items()}


def require_no_addresses(folder: Path) -> None:
    """Raise DataError if the card of a folder contains a URL, because the library would download from it."""
    from huggingface_hub import DatasetCard

    card, plain = folder / "README.md", folder / ".huggingface.yaml"
    configs = [DatasetCard.load(card).data.get("configs")] if card.is_file() else []
    configs += [(yaml.safe_load(read_text(plain)) or {}).get("configs")] if plain.is_file() else []
    if "://" in str(configs):
        raise DataError(f"data set {folder}: its card names an address, expected files of its own folder")


def require_inside(folders: Sequence[Path], file: Path, what: str) -> None:
    """Raise DataError if `file`, which `what` of a data set names, is outside the `folders`."""
    if not any(file.resolve().is_relative_to(folder) for folder in folders):
        raise DataError(f"data set {folders[0]}: {what} names {file}, expected files of its own folder")


def resolve_local_folder(folder: Path, source: SourceParams) -> Path:
    """Resolve the local folder of the data set that `folder` describes; the path does not exist for a Hub data set."""
    return (folder / (source.path or "")).resolve()


def list_cache_folders() -> list[Path]:
    """List the folders where the library stores downloaded and unpacked files."""
    from datasets.config import DOWNLOADED_DATASETS_PATH
    from huggingface_hub.constants import HF_HUB_CACHE

    return [Path(folder).resolve() for folder in (DOWNLOADED_DATASETS_PATH, HF_HUB_CACHE)]


def find_label_column(features: "Features", source: SourceParams, file: Path) -> str:
    """Find the label column. Raises DataError if the image or label column is missing, or several are possible."""
    from datasets import Image

    pictures = [name for name, feature in features.items() if isinstance(feature, Image)]
    if source.image not in pictures:
        raise DataError(f"{file}: image: found {source.image}, expected a column of images: {join_names(pictures)}")
    maps = [name for name in features if name != source.image and (name in pictures or read_mask_names(features[name]))]
    label = source.label or (maps[0] if len(maps) == 1 else "none")
    if label not in maps:
        raise DataError(f"{file}: label: found {label}, expected a column of label maps: {join_names(maps)}")
    return label


def join_names(names: list[str]) -> str:
    """Join `names` for a message; if there are none, explain how to add such a column."""
    return ", ".join(names) or "there is none, which metadata.csv would call <column>_file_name"


def read_mask_names(feature: Any) -> list[str] | None:
    """Read the class names of a column of ClassLabel maps (rows of numbers); None for any other column."""
    from datasets import ClassLabel

    inner = getattr(getattr(feature, "feature", None), "feature", None)
    return list(inner.names) if isinstance(inner, ClassLabel) else None


def read_class_names(feature: Any, file: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """Read the class names from the label column. Raises DataError if neither it nor `found` has names."""
    names = read_mask_names(feature)
    if names is None and "names" not in found:
        raise DataError(f"{file}: names: missing, expected what the values 0, 1, … of the column of labels mean")
    return {"names": names}


def select_columns(table: "Dataset", image: str, label: str) -> "Dataset":
    """Keep only the columns `image` and `label` of `table`, with pictures left encoded."""
    from datasets import Image

    chosen = table.select_columns([image, label]).rename_columns({image: "image", label: "label"})
    for name in ("image", "label"):
        if isinstance(chosen.features[name], Image):
            chosen = chosen.cast_column(name, Image(decode=False))
    return chosen


def read_cell(cell: Any, folders: Sequence[Path]) -> Path | bytes | None:
    """Convert a cell to a path or the bytes of a picture; None if the cell is empty.

    Raises DataError if its path is outside the `folders`.
    """
    if cell is None:
        return None
    if cell["bytes"] or not cell["path"]:
        return cell["bytes"]
    inside, _, file = cell["path"].rpartition("::")
    path = folders[0] / file
    require_inside(folders, path, "a row")
    if not inside.startswith("zip://"):
        return path
    # The library does not unpack pictures from their archive: zip://a.png::/folder/train.zip.
    try:
        with zipfile.ZipFile(path) as opened:
            return opened.read(inside.removeprefix("zip://"))
    except (KeyError, *DAMAGE_ERRORS):
        return b""
