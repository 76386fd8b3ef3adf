"""What is proposed for a folder that lacks classes.yaml, or whose folders have other names."""

import re

import numpy as np
import pytest
from PIL import Image
from support.image_sets import noise, save

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.layout_proposal import find_twins, propose_reading
from pixelwise.data.recognition import recognise
from pixelwise.errors import DataError

TWINS = {
    "MMSegmentation": (
        ("img_dir/train/a.jpg", "ann_dir/train/a.png"),
        "img_dir/{split}/{name}",
        "ann_dir/{split}/{name}",
    ),
    "ADE20K": (
        ("images/training/a.jpg", "annotations/training/a.png"),
        "images/{split}/{name}",
        "annotations/{split}/{name}",
    ),
    "Carvana": (("train/a_01.jpg", "train_masks/a_01_mask.gif"), "train/{name}", "train_masks/{name}_mask"),
    "splits above": (("val/Img/c0/1.png", "val/Labels/c0/1.png"), "{split}/Img/{name}", "{split}/Labels/{name}"),
    "one folder deeper": (("export/imgs/a.png", "export/gt/a.png"), "export/imgs/{name}", "export/gt/{name}"),
}


@pytest.mark.parametrize("kind", TWINS)
def test_folders_whose_pictures_have_the_same_names_are_images_and_masks(kind):
    paths, images, masks = TWINS[kind]
    assert find_twins(paths) == (images, masks)


@pytest.mark.parametrize(
    "paths",
    [("train/a.jpg", "val/a.jpg"), ("camera0/1.png", "camera1/1.png"), ("images/a.jpg", "masks/b.png"), ("a.jpg",)],
)
def test_other_folders_of_the_same_names_are_not(paths):
    assert find_twins(paths) is None


def write_pairs(root, values):
    """Two pictures and masks of `values`, without classes.yaml."""
    for name in "ab":
        save(noise(0), root / "images" / f"{name}.jpg")
        save(Image.fromarray(np.resize(np.array(values, np.uint8), (24, 32))), root / "masks" / f"{name}.png")
    return root


@pytest.mark.parametrize(
    ("values", "proposal"),
    [
        ((0, 255), "`names: [background, object]` as masks have the values 0 and 255"),
        ((0, 1, 2, 4, 255), "`names` of the values 0–2, 4 of masks, 255 being void"),
    ],
)
def test_masks_without_classes_are_named_with_the_classes_expected(values, proposal, tmp_path):
    root = write_pairs(tmp_path / "mine", values)
    assert not recognise(root)
    assert propose_reading(root) == f"images and masks without classes.yaml, expected it in {root} with {proposal}"
    with pytest.raises(DataError, match="images and masks without classes"):
        ingest.run(IngestParams(dataset="folder", root=root), tmp_path / "prepared")


def test_the_keys_proposed_are_those_that_ingest_takes(tmp_path):
    root = write_pairs(tmp_path / "mine", (0, 1))
    (root / "images").rename(root / "imgs")
    (root / "classes.yaml").write_text("names: [ground, box]")
    with pytest.raises(DataError, match=re.escape("by the keys images: imgs/{name} and masks: masks/{name}")):
        ingest.run(IngestParams(dataset="folder", root=root), tmp_path / "prepared")
    params = IngestParams(dataset="folder", root=root, images="imgs/{name}", masks="masks/{name}")
    assert sum(ingest.run(params, tmp_path / "prepared").splits.values()) == 2
