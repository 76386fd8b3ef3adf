import numpy as np
import pytest

from pixelwise.serving.rle import compress, run_lengths, segments


def expand(text):
    """The runs in COCO's string, read by the published decoder (rleFrString)."""
    runs, place = [], 0
    while place < len(text):
        value = shift = 0
        while True:
            character = ord(text[place]) - 48
            value |= (character & 0x1F) << 5 * shift
            place, shift = place + 1, shift + 1
            if not character & 0x20:
                break
        if character & 0x10:
            value |= -1 << 5 * shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs


def painted(runs, size):
    """The mask of the runs, column by column."""
    values = np.arange(len(runs)) % 2
    return np.repeat(values, runs).reshape(size, order="F").astype(bool)


def test_runs_go_down_the_columns_and_start_with_zeros():
    mask = np.array([[1, 0], [1, 1], [0, 1]], bool)
    assert run_lengths(mask).tolist() == [0, 2, 2, 2]
    assert run_lengths(~mask).tolist() == [2, 2, 2]


def test_the_compressed_counts_are_those_that_coco_tools_write():
    # pycocotools: encode(np.asfortranarray([[0, 1], [1, 1]], np.uint8)), then one with long and falling runs.
    assert compress(np.array([1, 3])) == "13"
    assert expand("13") == [1, 3]
    assert compress(np.array([6, 1, 40, 4, 5, 4, 5, 4, 21])) == expand_check([6, 1, 40, 4, 5, 4, 5, 4, 21])


def expand_check(runs):
    """COCO's string of the runs, by the published encoder (rleToString), one number at a time."""
    text = ""
    for place, run in enumerate(runs):
        value, more = run - (runs[place - 2] if place > 2 else 0), True
        while more:
            character = value & 0x1F
            value >>= 5
            more = value != -1 if character & 0x10 else value != 0
            text += chr((character | 0x20 * more) + 48)
    return text


@pytest.mark.parametrize("seed", range(5))
def test_a_mask_survives_both_encodings(seed):
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 300, 2))
    mask = rng.random(size) < rng.random() ** 4
    runs = run_lengths(mask)
    assert (painted(runs, size) == mask).all()
    assert compress(runs) == expand_check(runs.tolist())
    assert expand(compress(runs)) == runs.tolist()


def test_runs_as_long_as_the_largest_picture_survive():
    runs = [0, 2**31 - 1, 1, 1, 2**31 - 1, 2]
    assert expand(compress(np.array(runs))) == runs


def test_every_class_found_gets_one_entry_and_their_areas_cover_the_picture():
    prediction = np.array([[0, 2], [2, 255]], np.uint8)
    found = segments(prediction, ("road", "car", "sky"), "uncompressed")
    assert [(entry["category_id"], entry["name"], entry["area"]) for entry in found] == [
        (0, "road", 1),
        (2, "sky", 2),
        (255, "void", 1),
    ]
    assert found[1]["segmentation"] == {"size": [2, 2], "counts": [1, 2, 1]}
