"""YouTube-Objects with the masks of Jain and Grauman."""

import numpy as np
import pytest
from PIL import Image
from support.image_sets import save
from support.video_sets import write_youtube_objects

from pixelwise.data.class_mapping import make_class_table, map_classes
from pixelwise.data.item_inspection import Rejected, inspect_item, read_pair
from pixelwise.data.readers import voc, youtube_objects
from pixelwise.errors import DataError

MANY = 10**6


def test_youtube_objects_a_shot_is_a_clip_and_every_tenth_frame_is_labelled(tmp_path):
    raw = youtube_objects.read(write_youtube_objects(tmp_path, {"cat/0001/002": 21, "boat/0003/001": 1}))
    assert len(raw.classes) == 11
    assert [item.clip for item in raw.items] == ["boat/0003/001"] + ["cat/0001/002"] * 21
    cat = raw.items[1:]
    assert [item.frame for item in cat] == list(range(1, 22))
    assert [item.frame for item in cat if item.split == "test"] == [1, 11, 21]
    assert {item.split for item in cat} == {"test", "test_frames"}
    assert len({item.id for item in raw.items}) == 22


@pytest.mark.parametrize(
    ("size", "fitted"), [((24, 32), (375, 500)), ((32, 24), (500, 375)), ((720, 1280), (281, 500))]
)
def test_youtube_objects_pictures_and_masks_have_a_longer_side_of_500(tmp_path, size, fitted):
    raw = youtube_objects.read(write_youtube_objects(tmp_path, {"cow/0001/001": 1}, size))
    image, label = read_pair(raw.items[0], raw, MANY)
    assert image.shape == (*fitted, 3)
    assert label.shape == fitted
    file = tmp_path / "v1/cow/data/0001/shots/001/frame0001.jpg"
    assert (image == np.array(Image.open(file).resize(fitted[::-1], Image.Resampling.BILINEAR))).all()


def test_youtube_objects_a_mask_is_what_is_above_15(tmp_path):
    write_youtube_objects(tmp_path, {"dog/0001/001": 1}, (400, 500))
    file = tmp_path / "youtube_masks/dog/data/0001/shots/001/labels/00001.jpg"
    stored = np.zeros((400, 500), np.uint8)
    for place, value in enumerate((15, 16, 200)):
        stored[:, 160 * place : 160 * (place + 1)] = value
    # Blocks of 8 of one value are kept exactly at this quality.
    Image.fromarray(stored).save(file, quality=100)
    assert (np.array(Image.open(file)) == stored).all()
    raw = youtube_objects.read(tmp_path)
    _, label = read_pair(raw.items[0], raw, MANY)
    dog = raw.classes.names.index("dog")
    assert (label == np.where(stored > 15, dog, 0)).all()
    assert label[0, 0] == 0
    assert label[0, 160] == dog


def test_youtube_objects_classes_have_pascals_names_and_colours():
    for index, name in enumerate(youtube_objects.NAMES):
        assert make_class_table(voc.NAMES, youtube_objects.NAMES)[voc.NAMES.index(name)] == index


def test_a_pascal_nets_prediction_maps_to_the_ten_classes_and_all_others_to_background():
    prediction = np.arange(21, dtype=np.uint8).reshape(3, 7)
    mapped = map_classes(prediction, make_class_table(voc.NAMES, youtube_objects.NAMES))
    assert mapped.dtype == np.uint8
    for ours, theirs in zip(mapped.ravel(), prediction.ravel(), strict=True):
        name = voc.NAMES[theirs]
        assert youtube_objects.NAMES[ours] == (name if name in youtube_objects.OBJECTS else "background")
    assert (mapped > 0).sum() == 10


def test_youtube_objects_a_mask_without_its_frame_is_named(tmp_path):
    write_youtube_objects(tmp_path, {"car/0001/001": 11})
    (tmp_path / "v1/car/data/0001/shots/001/frame0011.jpg").unlink()
    raw = youtube_objects.read(tmp_path)
    found = inspect_item(raw.items[-1], raw, MANY)
    assert isinstance(found, Rejected)
    assert found.reason == "image frame0011.jpg: missing, expected 001/frame0011.jpg"


def test_youtube_objects_a_frame_that_is_no_picture_is_named(tmp_path):
    write_youtube_objects(tmp_path, {"car/0001/001": 2})
    (tmp_path / "v1/car/data/0001/shots/001/frame0002.jpg").write_bytes(b"no picture")
    raw = youtube_objects.read(tmp_path)
    assert inspect_item(raw.items[1], raw, MANY).reason.startswith("image frame0002.jpg: not a picture")


def test_youtube_objects_shots_without_masks_are_left_out(tmp_path):
    write_youtube_objects(tmp_path, {"car/0001/001": 1})
    save(Image.new("RGB", (32, 24)), tmp_path / "v1/car/data/0001/shots/002/frame0001.jpg")
    assert {item.clip for item in youtube_objects.read(tmp_path).items} == {"car/0001/001"}


def test_youtube_objects_without_masks_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match=r"not found here .*: YouTube-Objects' v1 of frames and youtube_masks of masks"):
        youtube_objects.read(tmp_path)
