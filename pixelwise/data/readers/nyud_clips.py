"""NYUDv2's labelled pictures in the raw clips that they were cropped from (Silberman et al. 2012; thesis §3.4)."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pixelwise.data.archives import find_folder, list_subfolders
from pixelwise.data.decoding import MAX_PIXELS, decode, format_size
from pixelwise.data.image_codec import FORMATS, SUFFIXES, convert_to_rgb, encode_picture
from pixelwise.data.items import UNLABELLED, Classes, ImagePart, Item, MapFile, RawData, make_bit_palette
from pixelwise.data.readers.nyud import FIELD, IMAGES, LABEL_VALUES, LABELS, LISTS, NAMES, find_layer_folder, is_nyud
from pixelwise.data.readers.voc import make_disjoint, read_ids
from pixelwise.data.walk import find_files
from pixelwise.documents import read_text
from pixelwise.errors import DataError

RAW = "raw"
# Beside test.txt. Line n names the raw frame, scene/r-….ppm, of the picture on line n of test.txt.
RAW_LIST = "{}_rawImages.txt"
# r-1294886360.208451-2996770081: time in seconds, and tick of the camera's clock.
FRAME = re.compile(r"r-(\d+(?:\.\d+)?)-\d+")
SIZE = (640, 480)
# Left, top, right and bottom of the labelled part, 560 by 425 pixels.
BOX = (40, 44, 600, 469)


def read(root: Path) -> RawData:
    """Read NYUDv2's clips under `root`: a scene is a clip; its labelled pictures are test, other frames test_frames.

    Other splits with a list of raw frames are read the same way. Raises DataError if lists, labels or raw frames are
    missing, or if a split's two lists do not match.
    """
    folder = find_folder(
        root, is_clips, f"NYUDv2's {LABELS}, {RAW}/<scene>/r-….ppm and test_rawImages.txt beside test.txt"
    )
    listed = {split: read_places(folder, split) for split in LISTS if (folder / RAW_LIST.format(split)).is_file()}
    splits = make_disjoint({split: list(places) for split, places in listed.items()})
    places = {split: {id_: listed[split][id_] for id_ in ids} for split, ids in splits.items()}
    return RawData(
        name="nyud_clips",
        classes=Classes(NAMES, make_bit_palette(len(NAMES))),
        items=[item for split in places for item in read_split(folder, split, places[split])],
        label_values=LABEL_VALUES,
    )


def is_clips(folder: Path) -> bool:
    """Whether `folder` contains NYUDv2 with raw clips and a list of raw frames."""
    return is_nyud(folder) and (folder / RAW).is_dir() and bool(find_files(folder, RAW_LIST.format("*")))


def read_places(folder: Path, split: str) -> dict[str, tuple[str, str]]:
    """Read picture id -> (scene, name of its raw frame). Raises DataError if the two lists do not match."""
    ids, file = read_ids(folder / f"{split}.txt"), folder / RAW_LIST.format(split)
    lines = read_text(file).split()
    if len(lines) != len(ids):
        raise DataError(f"{file.name}: {len(lines)} frames, expected {len(ids)}, one for each line of {split}.txt")
    places = {}
    for number, (id_, line) in enumerate(zip(ids, lines, strict=True), start=1):
        parts = Path(line).parts
        if len(parts) != 2 or ".." in parts or not FRAME.fullmatch(Path(line).stem):
            raise DataError(f"{file.name} line {number}: found {line!r}, expected scene/r-seconds-tick.ppm")
        places[id_] = (parts[0], Path(line).stem)
    return places


def read_split(folder: Path, split: str, places: dict[str, tuple[str, str]]) -> Iterator[Item]:
    """Iterate over the items of a split's clips. Raises DataError if a scene lacks its labelled frame."""
    ids = {scene_and_frame: id_ for id_, scene_and_frame in places.items()}
    present = set(list_subfolders(folder / RAW))
    for scene in sorted({scene for scene, _ in ids}):
        frames = list_raw_frames(folder / RAW / scene) if scene in present else []
        for name in sorted(name for other, name in ids if other == scene):
            if name not in {file.stem for file in frames}:
                raise DataError(f"{RAW}/{scene}: no frame {name}, expected it from {RAW_LIST.format(split)}")
        for number, file in enumerate(frames):
            id_ = ids.get((scene, file.stem))
            if id_ is None:
                yield make_unlabelled_item(split, scene, number, file)
            else:
                yield make_labelled_item(folder, split, scene, number, id_)


def list_raw_frames(scene: Path) -> list[Path]:
    """List the colour frames of a scene, sorted by time."""
    found = [(match, file) for file in find_files(scene, "*") if (match := FRAME.fullmatch(file.stem))]
    frames = [(float(match[1]), file) for match, file in found if file.suffix.lower() in (".ppm", *SUFFIXES)]
    return [file for _, file in sorted(frames)]


def make_labelled_item(folder: Path, split: str, scene: str, number: int, id_: str) -> Item:
    """Make the item of a labelled picture, which NYUDv2 publishes cropped; `number` is its frame number in the clip."""
    label = MapFile(folder / LABELS / f"img_{id_}.mat", FIELD)
    return Item(id_, split, find_layer_folder(folder, IMAGES) / f"img_{id_}.png", label, clip=scene, frame=number)


def make_unlabelled_item(split: str, scene: str, number: int, file: Path) -> Item:
    """Make the item of an unlabelled raw frame."""
    image = ImagePart(file, partial(read_cropped_frame, file))
    return Item(f"{scene}/{file.stem}", f"{split}_frames", image, UNLABELLED, clip=scene, frame=number)


def read_cropped_frame(file: Path) -> bytes:
    """Crop a raw frame to the labelled part, as PNG. Raises DataError if it is not a complete Kinect frame."""
    frame = decode(file.read_bytes(), MAX_PIXELS, ("PPM", *FORMATS))
    if frame.size != SIZE:
        raise DataError(f"size {format_size(frame.size)}, expected {format_size(SIZE)}")
    return encode_picture(convert_to_rgb(frame.crop(BOX)))
