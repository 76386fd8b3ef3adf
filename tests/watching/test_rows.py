import numpy as np
import pytest
from support.channel_model import channel_picture

from pixelwise.errors import DataError
from pixelwise.watching.disagreement import sum_disagreement
from pixelwise.watching.rows import Seen, compare, encode_row, observe, read_rows

IMAGE, LABEL = channel_picture(0, (24, 40))


def test_a_row_describes_a_picture_and_its_labels_as_the_manifest_does():
    row = observe(IMAGE, LABEL, "m", 3, 0.75)
    assert (row.height, row.width, row.confidence) == (24, 40, 0.75)
    assert row.mean == pytest.approx(IMAGE.mean(axis=(0, 1)), abs=0.01)
    assert row.std == pytest.approx(IMAGE.std(axis=(0, 1)), abs=0.01)
    assert row.shares == pytest.approx([(k == LABEL).mean() for k in range(3)], abs=1e-6)


def test_rows_of_a_large_picture_are_sampled_without_moving_its_brightness():
    image = np.add.outer(np.arange(1024) // 8, np.arange(512) // 8)[..., None].repeat(3, axis=2).astype(np.uint8)
    row = observe(image, image[..., 0] % 3, "m", 3)
    assert row.mean == pytest.approx(image.mean(axis=(0, 1)), abs=2)


def test_rows_are_read_in_the_order_of_time_and_a_torn_line_is_passed_over(tmp_path):
    first, second = (Seen(at, "m", 2, 2, (1.0,), (1.0,), None, (1.0,)) for at in ("2026-01-01", "2026-01-02"))
    (tmp_path / "a").write_text(f"{encode_row(second)}\n")
    (tmp_path / "b").write_text(f"{encode_row(first)}\n{encode_row(second)[:20]}\n")
    assert read_rows([tmp_path / "a", tmp_path / "b"]) == [first, second]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"lost.jsonl: no such file, expected statistics that"):
        read_rows([tmp_path / "lost.jsonl"])


def test_disagreement_is_the_share_of_pixels_and_by_class_of_those_that_either_labels_so():
    champion, challenger = np.zeros((2, 5), np.uint8), np.zeros((2, 5), np.uint8)
    challenger[0, :2] = 1
    rows = [compare(champion, challenger, "m", "old", 3), *[compare(champion, challenger, "m", "new", 3)] * 2]
    found = sum_disagreement(rows, ("sky", "road", "car"))
    assert (found.rival, found.pictures, found.share) == ("new", 2, pytest.approx(0.2))
    assert found.by_class == {"sky": pytest.approx(0.2), "road": 1.0}
    assert sum_disagreement([], ("sky",)) is None
