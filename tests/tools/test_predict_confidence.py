"""Predict: the confidence of labels, and what gives none."""

import numpy as np
import pytest
from PIL import Image
from support.channel_model import write_channel_model
from support.predictions import write_picture, write_video, written

from pixelwise.errors import DataError, ModelError
from pixelwise.families.options import PredictParams
from pixelwise.tools import predict


def test_confidence_is_a_grey_picture_beside_the_same_labels(tmp_path):
    label = write_picture(tmp_path / "street.png")
    confident = write_channel_model(tmp_path / "fcn", confidence=True)
    predict.run(PredictParams(), [tmp_path / "street.png"], confident, tmp_path / "out", confidence=True)
    predict.run(PredictParams(), [tmp_path / "street.png"], confident, tmp_path / "plain")
    assert written(tmp_path / "out") == written(tmp_path / "plain") | {"street.confidence.png"}
    for name in written(tmp_path / "plain"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
    with Image.open(tmp_path / "out" / "street.confidence.png") as picture:
        assert picture.mode == "L"
        # The strongest channel / 255 is the confidence of this model.
        assert np.array_equal(np.array(picture), np.full(label.shape, 200))


def test_confidence_of_an_older_model_or_a_video_is_refused_in_one_line(model, tmp_path, capsys):
    write_picture(tmp_path / "in" / "a.png")
    write_video(tmp_path / "in" / "clip.mp4", frames=2)
    with pytest.raises(ModelError, match=r"^[^\n]*gives no confidence[^\n]*; train and export it again$"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out", confidence=True)
    assert not (tmp_path / "out").exists()
    confident = write_channel_model(tmp_path / "fcn", confidence=True)
    with pytest.raises(DataError, match="1 of 2 inputs could not be used"):
        predict.run(PredictParams(), [tmp_path / "in"], confident, tmp_path / "out", confidence=True)
    assert "clip.mp4: a video, expected pictures alone with --confidence" in capsys.readouterr().err
    assert written(tmp_path / "out") == {f"a.{kind}.png" for kind in ("label", "overlay", "confidence")}
