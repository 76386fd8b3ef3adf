"""Photographs with EXIF tags keep their masks: in ingest, in prepared data and in the original layout alike."""

import numpy as np
import pytest
from PIL import Image
from support.image_sets import mask, noise, write_folder

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.given import read_picture
from pixelwise.data.prepared import PreparedData
from pixelwise.data.read_params import ReadParams
from pixelwise.data.splits import open_split

# Orientation -> how an upright picture is stored.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    6: np.rot90,
    8: lambda a: np.rot90(a, -1),
}


def write(root, orientation, size, drawn):
    """Two pictures and masks; the masks are turned as the stored pictures where they were drawn on these."""
    write_folder(root, [])
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for number, split in enumerate(("train", "val")):
        image, label = np.array(noise(number, size)), np.array(mask(number, 2, size))
        for part in ("images", "masks"):
            (root / split / part).mkdir(parents=True)
        Image.fromarray(np.ascontiguousarray(turn(image))).save(root / split / "images/a.png", exif=exif)
        stored = turn(label) if drawn == "stored" else label
        Image.fromarray(np.ascontiguousarray(stored)).save(root / split / "masks/a.png")
    return root


@pytest.mark.parametrize("drawn", ["upright", "stored"])
@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("size", [(24, 32), (24, 24)], ids=["wide", "square"])
def test_pictures_come_out_upright_under_their_masks(tmp_path, orientation, size, drawn):
    root = write(tmp_path / "raw", orientation, size, drawn)
    # Where the shape of the mask tells how it was drawn, the key must not matter.
    is_told_by_shape = orientation in (6, 8) and size[0] != size[1]
    reading = "upright" if is_told_by_shape else drawn
    params = IngestParams(dataset="folder", root=root, orientation=reading)
    report = ingest.run(params, tmp_path / "prepared")
    prepared = PreparedData(tmp_path / "prepared").split("val")[0]
    original = open_split("val", None, "folder", root, (), ReadParams(orientation=reading)).samples[0]
    for sample in (prepared, original):
        assert (sample.image == np.array(noise(1, size))).all()
        assert (sample.label == np.array(mask(1, 2, size))).all()
    assert (read_picture(root / "val/images/a.png") == prepared.image).all()
    said = [line for line in report.notes if "EXIF" in line]
    assert len(said) == (orientation != 1)
    assert all(line.startswith("2 pictures turned upright") for line in said)
    row = PreparedData(tmp_path / "prepared").split("val").rows[0]
    assert (row["height"], row["width"]) == size
