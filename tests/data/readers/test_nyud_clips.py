"""NYUDv2's raw clips around its labelled pictures."""

import numpy as np
import pytest
from PIL import Image
from support.image_sets import noise
from support.matlab_sets import values
from support.video_sets import BOX, RAW_SIZE, write_nyud_clips

from pixelwise.data.item_inspection import inspect_item, read_pair
from pixelwise.data.readers import nyud_clips
from pixelwise.errors import DataError

MANY = 10**6
SCENES = {"bath_0001": ["7.25", "5001@8.5", "10.0"], "study_0002": ["5003@3.0", "5002@2.0"]}


def test_nyud_clips_a_scene_is_a_clip_in_the_order_of_time(tmp_path):
    raw = nyud_clips.read(write_nyud_clips(tmp_path, SCENES))
    assert [(item.clip, item.frame, item.split) for item in raw.items] == [
        ("bath_0001", 0, "test_frames"),
        ("bath_0001", 1, "test"),
        ("bath_0001", 2, "test_frames"),
        ("study_0002", 0, "test"),
        ("study_0002", 1, "test"),
    ]
    assert [item.id for item in raw.items if item.split == "test"] == ["5001", "5002", "5003"]


def test_nyud_clips_a_raw_frame_is_cropped_to_the_labelled_part(tmp_path):
    raw = nyud_clips.read(write_nyud_clips(tmp_path, SCENES))
    image, label = read_pair(raw.items[2], raw, MANY)
    assert image.shape == (425, 560, 3)
    assert (image == np.array(noise(2, RAW_SIZE))[BOX]).all()
    assert (label == 255).all()


def test_nyud_clips_a_labelled_picture_keeps_its_40_classes(tmp_path):
    raw = nyud_clips.read(write_nyud_clips(tmp_path, SCENES))
    _, label = read_pair(raw.items[1], raw, MANY)
    assert (label[:24, :32] == values(5001, 0, 40) - np.uint8(1)).all()


def test_nyud_clips_depth_and_accelerometer_files_are_no_frames(tmp_path):
    root = write_nyud_clips(tmp_path, SCENES)
    for name in ("d-7.3-1000.pgm", "a-7.4-1000.dump", "INDEX.txt"):
        (root / "nyud/raw/bath_0001" / name).write_bytes(b"")
    assert len(nyud_clips.read(root).items) == 5


def test_nyud_clips_a_frame_that_breaks_off_or_has_another_size_is_named(tmp_path):
    root = write_nyud_clips(tmp_path, SCENES)
    raw = nyud_clips.read(root)
    broken, small = raw.items[0].image.path, raw.items[2].image.path
    broken.write_bytes(broken.read_bytes()[:1000])
    Image.new("RGB", (320, 240)).save(small)
    assert inspect_item(raw.items[0], raw, MANY).reason.startswith(f"image {broken.name}: ")
    assert inspect_item(raw.items[2], raw, MANY).reason == f"image {small.name}: size 320×240, expected 640×480"


def test_nyud_clips_a_labelled_frame_that_the_scene_lacks_is_named(tmp_path):
    root = write_nyud_clips(tmp_path, SCENES)
    (root / "nyud/raw/bath_0001/r-8.5-1001.ppm").unlink()
    with pytest.raises(DataError, match=r"raw/bath_0001: no frame r-8\.5-1001, expected it from test_rawImages\.txt"):
        nyud_clips.read(root)


def test_nyud_clips_lists_that_do_not_go_together_are_named(tmp_path):
    root = write_nyud_clips(tmp_path, SCENES)
    with (root / "nyud/test.txt").open("a") as lines:
        lines.write("5009\n")
    with pytest.raises(DataError, match=r"test_rawImages\.txt: 3 frames, expected 4, one for each line of test\.txt"):
        nyud_clips.read(root)


def test_nyud_clips_a_line_that_leads_out_of_the_clips_is_named(tmp_path):
    root = write_nyud_clips(tmp_path, {"bath_0001": ["5001@8.5"]})
    (root / "nyud/test_rawImages.txt").write_text("../r-8.5-1000.ppm\n")
    with pytest.raises(DataError, match=r"test_rawImages\.txt line 1: found '\.\./r-8\.5-1000\.ppm', expected scene/"):
        nyud_clips.read(root)


def test_nyud_clips_without_raw_frames_says_what_was_expected(tmp_path):
    with pytest.raises(DataError, match=r"not found here .*: NYUDv2's segmentation, raw/<scene>"):
        nyud_clips.read(tmp_path)
