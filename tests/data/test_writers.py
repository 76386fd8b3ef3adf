"""Label maps that are written for a labelling tool come back the same through the reader of its format."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask
from support.label_studio import accept_predictions

from pixelwise.data.item_inspection import read_pair
from pixelwise.data.readers import read_dataset
from pixelwise.data.writers import WRITERS
from pixelwise.data.writers.objects import find_components
from pixelwise.data.writers.outlines import trace_outlines

NAMES = ("background", "dog", "grass, wet")


def labels():
    """Maps with holes, areas that touch at corners, single pixels, an empty one, and one that is all of a class."""
    rng = np.random.default_rng(0)
    noise = rng.choice(3, (23, 17), p=(0.6, 0.3, 0.1))
    rings = np.zeros((20, 30), np.uint8)
    rings[2:18, 2:28] = 1
    rings[5:9, 5:9], rings[11:14, 20:25], rings[12, 22] = 0, 2, 1
    return {
        "camera0/0000": noise.astype(np.uint8),
        "camera1/0000": rings,
        "none": np.zeros((16, 16), np.uint8),
        "all": np.full((12, 16), 2, np.uint8),
    }


def write_all(folder, kind):
    """Write the pictures of all `labels` and their annotations in the format `kind`."""
    writer = WRITERS[kind](folder, NAMES)
    for name, label in labels().items():
        source = folder / "images" / f"{name}.png"
        source.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((*label.shape, 3), 90, np.uint8)).save(source)
        writer.add(Path(name), source, label)
    written = writer.finish()
    if kind == "label_studio":
        accept_predictions(written)
    return written


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_for_a_tool_is_read_back_to_the_pixel(tmp_path, kind):
    write_all(tmp_path, kind)
    raw = read_dataset(kind, tmp_path)
    found = {
        Path(item.id).with_suffix("").as_posix().removeprefix("images/"): read_pair(item, raw, 10**6)[1]
        for item in raw.items
    }
    assert found
    for name, label in labels().items():
        (key,) = [key for key in found if key.endswith(name)]
        back = np.array([NAMES.index(each) for each in raw.classes.names], np.uint8)[found[key]]
        assert np.array_equal(back, label), name


@pytest.mark.parametrize("kind", WRITERS)
def test_classes_without_background_are_all_written(tmp_path, kind):
    writer = WRITERS[kind](tmp_path, ("sky", "road"))
    source = tmp_path / "images/a.png"
    source.parent.mkdir()
    label = np.repeat(np.uint8([[0, 1]]), 8, axis=1).repeat(9, axis=0)
    Image.fromarray(np.zeros((*label.shape, 3), np.uint8)).save(source)
    writer.add(Path("a"), source, label)
    written = writer.finish()
    assert written.exists()
    if kind == "label_studio":
        accept_predictions(written)
    raw = read_dataset(kind, tmp_path)
    (item,) = raw.items
    names = np.array(raw.classes.names)[read_pair(item, raw, 10**6)[1]]
    assert np.array_equal(names, np.array(["sky", "road"])[label])


def test_outlines_of_random_areas_fill_exactly_these_areas():
    rng = np.random.default_rng(1)
    for _ in range(100):
        height, width = rng.integers(1, 20, 2).tolist()
        area = rng.random((height, width)) < rng.choice([0.5, 0.8, 1.0])
        filled = np.zeros((height, width), bool)
        for left, top, part in find_components(area):
            for outline in trace_outlines(part, left, top):
                packed = mask.frPyObjects([outline.ravel().astype(float).tolist()], height, width)
                filled |= mask.decode(mask.merge(packed)) > 0
        assert np.array_equal(filled, area)
