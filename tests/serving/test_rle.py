import numpy as np
import pytest
from pycocotools.mask import decode, encode, frPyObjects

from pixelwise.serving.rle import compress, count_runs, list_segments


def painted(runs, size):
    """The mask of the runs, column by column."""
    values = np.arange(len(runs)) % 2
    return np.repeat(values, runs).reshape(size, order="F").astype(bool)


def test_runs_go_down_the_columns_and_start_with_zeros():
    mask = np.array([[1, 0], [1, 1], [0, 1]], bool)
    assert count_runs(mask) == [0, 2, 2, 2]
    assert count_runs(~mask) == [2, 2, 2]


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_survives_both_encodings_which_coco_tools_take_for_the_same(seed):
    rng = np.random.default_rng(seed)
    size = [int(side) for side in rng.integers(1, 300, 2)]
    mask = rng.random(size) < rng.random() ** 4
    assert (painted(count_runs(mask), size) == mask).all()
    assert (decode({"size": size, "counts": compress(mask)}) == mask).all()
    runs = frPyObjects({"size": size, "counts": count_runs(mask)}, *size)
    assert runs["counts"] == compress(mask).encode()


def test_a_mask_that_lies_row_by_row_or_is_turned_in_memory_is_encoded_as_it_looks():
    mask = np.random.default_rng(0).random((40, 30)) < 0.3
    expected = encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert compress(mask) == compress(np.asfortranarray(mask)) == expected
    assert compress(mask.T.copy().T) == expected


def test_every_class_found_gets_one_entry_and_their_areas_cover_the_picture():
    prediction = np.array([[0, 2], [2, 255]], np.uint8)
    found = list_segments(prediction, ("road", "car", "sky"), "uncompressed")
    assert [(entry["category_id"], entry["name"], entry["area"]) for entry in found] == [
        (0, "road", 1),
        (2, "sky", 2),
        (255, "void", 1),
    ]
    assert found[1]["segmentation"] == {"size": [2, 2], "counts": [1, 2, 1]}
    assert (
        found[1]["segmentation"]["counts"] != list_segments(prediction, (), "compressed")[1]["segmentation"]["counts"]
    )
