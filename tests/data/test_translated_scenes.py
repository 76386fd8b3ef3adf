"""Translated scenes: what each frame of a moving window shows."""

import numpy as np
import pytest
from support.image_sets import write_camvid

from pixelwise.data.prepared import Sample
from pixelwise.data.readers import camvid
from pixelwise.data.splits import RawSplit
from pixelwise.data.translated_scenes import TranslatedScenes
from pixelwise.errors import DataError

# Pixels a frame: the thesis's slow and fast videos.
SLOW, FAST = 16, 32


def still(height: int, width: int, name: str = "scene") -> Sample:
    rng = np.random.default_rng(height * width)
    image = rng.integers(0, 256, (height, width, 3), np.uint8)
    depth = rng.integers(0, 9999, (height, width), np.uint16)
    return Sample(name, image, rng.integers(0, 21, (height, width), np.uint8), {"depth": depth})


@pytest.mark.parametrize("shift", [SLOW, FAST])
def test_a_landscape_moves_sideways_and_shows_the_shifted_crop_to_the_pixel(shift):
    scene = still(40, 200)
    frames = TranslatedScenes([scene], shift)
    assert len(frames) == 6
    length = 200 - 5 * shift
    for number, frame in enumerate(frames):
        assert (frame.image == scene.image[:, number * shift : number * shift + length]).all()
        assert frame.image.shape == (40, length, 3)
    assert (frames[5].image[:, -1] == scene.image[:, -1]).all()


@pytest.mark.parametrize("shift", [SLOW, FAST])
def test_a_portrait_moves_down_and_shows_the_shifted_crop_to_the_pixel(shift):
    scene = still(200, 40)
    length = 200 - 5 * shift
    for number, frame in enumerate(TranslatedScenes([scene], shift)):
        assert (frame.image == scene.image[number * shift : number * shift + length]).all()
        assert frame.image.shape == (length, 40, 3)


def test_labels_and_layers_move_with_the_picture_and_only_frames_2_to_5_have_labels():
    scene = still(50, 120)
    frames = list(TranslatedScenes([scene], SLOW))
    for number, frame in enumerate(frames):
        window = slice(number * 16, number * 16 + 40)
        assert (frame.label == (255 if number < 2 else scene.label[:, window])).all()
        assert frame.label.dtype == np.uint8
        assert frame.label.shape == frame.image.shape[:2] == frame.layers["depth"].shape
        assert (frame.layers["depth"] == scene.layers["depth"][:, window]).all()


def test_a_square_picture_moves_down_as_the_published_code_has_it():
    scene = still(96, 96)
    assert (TranslatedScenes([scene], SLOW)[1].image == scene.image[16:32]).all()


def test_every_still_becomes_one_clip_of_six_frames_in_order():
    frames = TranslatedScenes([still(20, 90, "a"), still(90, 20, "b")], SLOW)
    assert [(row["clip"], row["frame"]) for row in frames.rows] == [(c, f) for c in "01" for f in range(6)]
    assert [frame.id for frame in frames] == [f"{name}/{number}" for name in "ab" for number in range(6)]
    assert (frames[-1].image == frames[11].image).all()
    with pytest.raises(IndexError):
        frames[12]


def test_a_still_is_decoded_once_for_its_six_frames_and_is_not_written_to():
    class Counted(list):
        reads = 0

        def __getitem__(self, index):
            self.reads += 1
            return super().__getitem__(index)

    stills = Counted([still(20, 90), still(90, 20)])
    for frame in TranslatedScenes(stills, SLOW):
        frame.image[:] = 0
    assert stills.reads == 2
    assert stills[0].image.any()


def test_a_picture_is_too_small_where_less_than_8_pixels_would_be_seen():
    assert TranslatedScenes([still(40, 168)], FAST)[0].image.shape == (40, 8, 3)
    small = TranslatedScenes([still(40, 167, "2007_000032")], FAST)
    with pytest.raises(
        DataError, match=r"2007_000032: size 167×40, expected a longer side of at least 168 for 6 frames"
    ):
        small[0]
    with pytest.raises(DataError, match="shift -1: expected 0 pixels a frame or more"):
        TranslatedScenes([], -1)


def test_a_data_set_as_it_comes_becomes_video(tmp_path):
    stills = RawSplit(camvid.read(write_camvid(tmp_path, {"val": 2})), "val")
    frames = TranslatedScenes(stills, shift=4)
    assert len(frames) == 12
    assert (frames[9].image == stills[1].image[:, 12:24]).all()
