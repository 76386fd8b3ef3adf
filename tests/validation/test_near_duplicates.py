"""Near-duplicates across splits, by perceptual hash."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pixelwise.data.perceptual_hash import hash_picture
from pixelwise.validation import near_duplicates
from pixelwise.validation.near_duplicates import find_near_duplicates, is_telling


def scenery(seed):
    """A picture of smooth seeded fields."""
    fields = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    return Image.fromarray(fields).resize((180, 120), Image.Resampling.BICUBIC)


def manifest(*rows):
    found = pd.DataFrame(rows, columns=["id", "split", "picture"])
    pixels = [picture.tobytes().hex()[:32] + str(picture.size) for picture in found["picture"]]
    return found.assign(dhash=[hash_picture(picture) for picture in found["picture"]], image_sha256=pixels)


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture.resize((90, 60)),
        lambda picture: picture.point(lambda value: min(255, value + 12)),
        lambda picture: picture.convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB"),
    ],
)
def test_a_changed_copy_in_another_split_is_named_from_both_sides(change):
    words = find_near_duplicates(
        manifest(("a", "train", scenery(0)), ("b", "train", scenery(1)), ("c", "val", change(scenery(0))))
    )
    assert words.dropna().to_dict() == {0: "nearly equals c (val)", 2: "nearly equals a (train)"}


def test_copies_in_one_split_and_equal_pictures_are_left_to_other_checks():
    near = scenery(0).resize((90, 60))
    assert find_near_duplicates(manifest(("a", "train", scenery(0)), ("b", "train", near))).isna().all()
    assert find_near_duplicates(manifest(("a", "train", near), ("b", "val", near))).isna().all()


def test_plain_pictures_are_not_compared():
    ramp = Image.fromarray(np.tile(np.arange(180, dtype=np.uint8), (120, 1))).convert("RGB")
    assert not is_telling(hash_picture(ramp))
    assert not is_telling(hash_picture(Image.new("RGB", (180, 120))))
    assert find_near_duplicates(manifest(("a", "train", ramp), ("b", "val", ramp.resize((90, 60))))).isna().all()


def test_the_answer_does_not_depend_on_how_many_rows_are_compared_at_once(monkeypatch):
    rows = [(str(seed), ("train", "val")[seed % 2], scenery(seed // 2).resize((90 + seed, 60))) for seed in range(20)]
    whole = find_near_duplicates(manifest(*rows))
    monkeypatch.setattr(near_duplicates, "PAIRS_AT_ONCE", 7)
    assert find_near_duplicates(manifest(*rows)).tolist() == whole.tolist()
    assert whole.notna().all()


def test_small_pictures_are_hashed_too():
    assert len(hash_picture(scenery(0).resize((8, 8)))) == 16
