"""Files of a study that something damaged are one line each."""

import numpy as np
import pytest

from pixelwise.documents import read_json
from pixelwise.errors import DataError, ModelError
from pixelwise.studies import predictions
from pixelwise.studies.trainings import History


@pytest.mark.parametrize("text", ["", "[{", "{}", "[]", "[3]", '[{"epoch": "one"}]', "null", "\xff\xfe"])
def test_json_that_is_cut_or_holds_something_else_is_an_error_that_names_the_file(text, tmp_path):
    (tmp_path / "history.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError) as raised:
        read_json(tmp_path / "history.json", "a curve", History)
    assert str(raised.value).startswith(f"{tmp_path / 'history.json'}: ")
    assert str(raised.value).endswith(", expected a curve")
    assert "\n" not in str(raised.value)


def test_a_history_with_numbers_that_are_none_is_read_as_it_was_written(tmp_path):
    (tmp_path / "history.json").write_text('[{"epoch": 1, "train/loss": NaN}]')
    (row,) = read_json(tmp_path / "history.json", "a curve", History)
    assert row["epoch"] == 1.0
    assert np.isnan(row["train/loss"])


@pytest.mark.parametrize("kept", [0, 3, 60, 0.5, 0.9])
def test_predictions_that_are_cut_are_an_error_that_names_the_file(kept, tmp_path):
    file = tmp_path / "predictions.npz"
    predictions.write_predictions([np.random.default_rng(0).integers(0, 9, (40, 50), np.uint8)], file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    with pytest.raises(ModelError, match=r"predictions\.npz: .*delete the file"):
        predictions.read_predictions(file)


def test_predictions_with_a_flipped_byte_are_an_error_that_names_the_file(tmp_path):
    file = tmp_path / "predictions.npz"
    predictions.write_predictions([np.random.default_rng(0).integers(0, 9, (40, 50), np.uint8)], file)
    damaged = bytearray(file.read_bytes())
    damaged[200:220] = bytes(20)
    file.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"predictions\.npz: .*delete the file"):
        predictions.read_predictions(file)
