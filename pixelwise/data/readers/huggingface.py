"""A data set of the Hugging Face Hub, or a folder in one of its formats, read by their library `datasets`.

A folder is an "imagefolder", whose metadata.csv or metadata.jsonl names an image (`file_name`) and a label
(`<column>_file_name`) a row, or Parquet files with two columns of images. huggingface.yaml in it says what the label's
values mean, and whatever else is to be chosen.
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
from pixelwise.data.items import Classes, Item, MapRows, RawData, bit_palette
from pixelwise.data.readers.folder import FolderClasses, choose_held_out, map_label_values
from pixelwise.documents import read_text, read_yaml
from pixelwise.errors import DataError
from pixelwise.params import Params, parse

if TYPE_CHECKING:
    from datasets import Dataset, Features

SOURCE_FILE = "huggingface.yaml"
LAYOUTS = ("metadata.csv", "metadata.jsonl", "*.parquet")
SPLIT_NAMES = {"validation": "val"}


class SourceParams(Params):
    """huggingface.yaml, less its keys of classes.yaml: names, colours and values."""

    path: str | None = Field(None, description="organisation/name on the Hub, or a folder; none: that of the file")
    config: str | None = Field(None, description="which of its configurations")
    revision: str | None = Field(None, description="commit, tag or branch on the Hub")
    image: str = Field("image", description="column of the images")
    label: str | None = Field(None, description="column of the labels; none: the other column of images")
    splits: dict[str, str] | None = Field(None, description="its split -> ours, all others left out")


@dataclass(frozen=True)
class HuggingFaceItems:
    """The rows of every split, read as they are asked for.

    splits: our name -> rows with an image and a label each. folders: where their files may lie, first the data set's.
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
    """The data set under `root`; one with nothing but a split train has a tenth of it as val, as a plain folder has.

    Raises DataError where it cannot be read, or does not say which column is the label or what its values mean, and
    ParamsError at a bad key of huggingface.yaml.
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
    classes = parse(FolderClasses, read_class_names(features[label], file, found) | found, str(file))
    palette = classes.colours or bit_palette(len(classes.names))
    if len(palette) != len(set(classes.names)):
        raise DataError(f"{file}: names: {len(set(classes.names))} different ones and {len(palette)} colours")
    return RawData(
        name=Path(source.path).name if source.path else "huggingface",
        classes=Classes(tuple(classes.names), tuple(palette)),
        items=HuggingFaceItems(
            splits={split: select_columns(table, source.image, label) for split, table in tables.items()},
            folders=(resolve_local_folder(folder, source), *list_cache_folders()),
        ),
        label_values=map_label_values(classes, file),
    )


def is_dataset(folder: Path) -> bool:
    """Whether `folder` is described, or holds one of the layouts, itself or in folders of its splits."""
    return (folder / SOURCE_FILE).is_file() or any(
        any(folder.glob(pattern)) or any(folder.glob(f"*/{pattern}")) for pattern in LAYOUTS
    )


def load_splits(folder: Path, source: SourceParams) -> dict[str, "Dataset"]:
    """Its name of every split -> its rows. Raises DataError with what the library says."""
    # Read as the library is imported, which is here for the first time.
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
    """Our name of every split that is read -> its rows. Raises DataError at an unknown one, or two of one name."""
    names = source.splits or {name: SPLIT_NAMES.get(name, name) for name in tables}
    for name in names.keys() - tables.keys():
        raise DataError(f"{file}: splits: found {name}, expected any of: {', '.join(tables)}")
    if len(set(names.values())) < len(names):
        raise DataError(f"{file}: splits: found {', '.join(names.values())}, expected each once")
    return {ours: tables[name] for name, ours in names.items()}


def require_no_addresses(folder: Path) -> None:
    """Raise DataError where the card of a folder sends its reader to the network; the library would follow at once."""
    from huggingface_hub import DatasetCard

    card, plain = folder / "README.md", folder / ".huggingface.yaml"
    configs = [DatasetCard.load(card).data.get("configs")] if card.is_file() else []
    configs += [(yaml.safe_load(read_text(plain)) or {}).get("configs")] if plain.is_file() else []
    if "://" in str(configs):
        raise DataError(f"data set {folder}: its card names an address, expected files of its own folder")


def require_inside(folders: Sequence[Path], file: Path, what: str) -> None:
    """Raise DataError where `what` of a data set sends its reader to a file of other places of the machine."""
    if not any(file.resolve().is_relative_to(folder) for folder in folders):
        raise DataError(f"data set {folders[0]}: {what} names {file}, expected files of its own folder")


def resolve_local_folder(folder: Path, source: SourceParams) -> Path:
    """Where the data set lies that `folder` describes; no such folder, where it is one of the Hub."""
    return (folder / (source.path or "")).resolve()


def list_cache_folders() -> list[Path]:
    """Where the library keeps what it downloads and unpacks."""
    from datasets.config import DOWNLOADED_DATASETS_PATH
    from huggingface_hub.constants import HF_HUB_CACHE

    return [Path(folder).resolve() for folder in (DOWNLOADED_DATASETS_PATH, HF_HUB_CACHE)]


def find_label_column(features: "Features", source: SourceParams, file: Path) -> str:
    """The column of the labels. Raises DataError where columns are missing, or it is not the only one it could be."""
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
    """`names` for a message; how to have one, where there are none."""
    return ", ".join(names) or "there is none, which metadata.csv would call <column>_file_name"


def read_mask_names(feature: Any) -> list[str] | None:
    """The names of a column of maps of ClassLabel, rows of numbers; None for any other column."""
    from datasets import ClassLabel

    inner = getattr(getattr(feature, "feature", None), "feature", None)
    return list(inner.names) if isinstance(inner, ClassLabel) else None


def read_class_names(feature: Any, file: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """The names of the classes as the label's own column says. Raises DataError where nothing does."""
    names = read_mask_names(feature)
    if names is None and "names" not in found:
        raise DataError(f"{file}: names: missing, expected what the values 0, 1, … of the column of labels mean")
    return {"names": names}


def select_columns(table: "Dataset", image: str, label: str) -> "Dataset":
    """`table` with the columns image and label alone, pictures left encoded."""
    from datasets import Image

    chosen = table.select_columns([image, label]).rename_columns({image: "image", label: "label"})
    for name in ("image", "label"):
        if isinstance(chosen.features[name], Image):
            chosen = chosen.cast_column(name, Image(decode=False))
    return chosen


def read_cell(cell: Any, folders: Sequence[Path]) -> Path | bytes | None:
    """A cell of a row as ingest takes it: a path, or the bytes of a picture; None where it is empty.

    Raises DataError where its path leads out of the `folders`.
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
    # The library leaves pictures in their archive: zip://a.png::/folder/train.zip.
    try:
        with zipfile.ZipFile(path) as opened:
            return opened.read(inside.removeprefix("zip://"))
    except (KeyError, *DAMAGE_ERRORS):
        return b""
