"""Predict: inputs and outputs at fault are named, and the others are still done."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from PIL import Image
from support.image_sets import noise, save
from support.predictions import SIZE, write_frames, write_picture, write_video, written

from pixelwise.data.image_codec import FORMATS
from pixelwise.errors import DataError, ModelError
from pixelwise.families.options import PredictParams
from pixelwise.inference.session import FrameByFrame, Segmenter
from pixelwise.tools import predict


def test_unreadable_inputs_are_named_and_the_others_written(model, tmp_path, capsys):
    folder = tmp_path / "in"
    write_picture(folder / "a.png")
    write_picture(folder / "z.png")
    (folder / "junk.jpg").write_bytes(b"junk")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:500])
    (folder / "empty.mp4").write_bytes(b"")
    save(Image.fromarray(np.zeros((4, 4), np.uint16)), folder / "depth.png")
    with pytest.raises(DataError, match="5 of 7 inputs"):
        predict.run(PredictParams(), [folder, tmp_path / "none.png"], model, tmp_path / "out")
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if "skipped:" in line]
    assert len(lines) == 5
    for name in ("junk.jpg", "cut.png", "empty.mp4", "depth.png", "none.png"):
        assert sum(name in line for line in lines) == 1
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in "az" for kind in ("label", "overlay")}


UNUSABLE = {
    "animated.png": (write_frames, "2 frames, expected one"),
    "animated.webp": (write_frames, "2 frames, expected one"),
    "pages.tif": (write_frames, "2 frames, expected one"),
    "float.tif": (
        lambda path: Image.fromarray(np.ones(SIZE, np.float32)).save(path),
        "mode F, expected 8 or 16 bits a channel",
    ),
    "narrow.png": (lambda path: noise(0, (40, 7)).save(path), "size 7×40, expected at least 8×8"),
    "page.jpg": (
        lambda path: path.write_text("<html>404</html>"),
        f"not a picture, expected one of: {' '.join(FORMATS)}",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_picture_that_ingest_would_refuse_is_refused_with_the_same_words(model, tmp_path, name, capsys):
    write, reason = UNUSABLE[name]
    write(tmp_path / name)
    with pytest.raises(DataError, match="1 of 1 inputs"):
        predict.run(PredictParams(), [tmp_path / name], model, tmp_path / "out")
    assert f"skipped: {tmp_path / name}: {reason}\n" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_model_that_takes_more_than_pictures_is_refused_in_one_line(model, tmp_path):
    graph = onnx.load(model / "onnx/model.onnx")
    graph.graph.input.append(onnx.helper.make_tensor_value_info("depth", onnx.TensorProto.INT32, ["N", "H", "W"]))
    onnx.save(graph, tmp_path / "model.onnx")
    write_picture(tmp_path / "a.png")
    with pytest.raises(ModelError, match="takes image and depth, expected image alone"):
        predict.run(PredictParams(), [tmp_path / "a.png"], tmp_path / "model.onnx", tmp_path / "out")


def test_a_command_that_skipped_something_ends_with_one_line_and_status_one(model, tmp_path):
    (tmp_path / "junk.jpg").write_bytes(b"junk")
    command = [sys.executable, "-m", "pixelwise.tools.predict", "--model", model, tmp_path / "junk.jpg"]
    done = subprocess.run([*command, "--output", tmp_path / "out"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: 1 of 1 inputs")


def test_an_output_that_cannot_be_written_to_is_said_so(model, tmp_path):
    write_picture(tmp_path / "a.png")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError, match="out: cannot be written to"):
        predict.run(PredictParams(), [tmp_path / "a.png"], model, tmp_path / "out")


def test_a_folder_without_pictures_says_what_was_expected(model, tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no picture or video, expected files ending in"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")


def test_a_name_that_is_too_long_for_its_results_is_the_fault_of_that_input(model, tmp_path, capsys):
    for name in ("a", "b" * 245, "z"):
        write_picture(tmp_path / "in" / f"{name}.png")
    with pytest.raises(DataError, match="1 of 3 inputs"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    said = capsys.readouterr().err
    assert f"{'b' * 245}.png: results cannot be written: File name too long" in said
    # Its label map alone would have had a name of 255 characters, which is allowed.
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in "az" for kind in ("label", "overlay")}


def test_a_place_that_is_taken_by_a_folder_is_the_fault_of_that_input(model, tmp_path, capsys):
    for name in "ab":
        write_picture(tmp_path / "in" / f"{name}.png")
    (tmp_path / "out" / "a.overlay.png").mkdir(parents=True)
    with pytest.raises(DataError, match="1 of 2 inputs"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    assert "a.png: results cannot be written: Is a directory" in capsys.readouterr().err
    assert written(tmp_path / "out") == {"b.label.png", "b.overlay.png"}


def test_a_video_that_fails_midway_leaves_the_results_before_it(model, tmp_path, monkeypatch):
    write_video(tmp_path / "clip.mp4", 3)
    predict.run(PredictParams(), [tmp_path / "clip.mp4"], model, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    write_video(tmp_path / "clip.mp4", 6)
    calls = []

    def fail(segmenter, image, follows=True):
        calls.append(follows)
        if len(calls) == 3:
            raise ModelError("ONNX Runtime failed")
        return np.zeros(image.shape[:2], np.uint8)

    monkeypatch.setattr(FrameByFrame, "step", fail)
    with pytest.raises(DataError, match="1 of 1 inputs"):
        predict.run(PredictParams(), [tmp_path / "clip.mp4"], model, tmp_path / "out")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("error", [ModelError("ONNX Runtime failed: no memory"), MemoryError()])
def test_a_picture_that_the_memory_cannot_hold_is_named_and_the_others_done(
    model, tmp_path, monkeypatch, capsys, error
):
    for name, size in {"a": SIZE, "m": (90, 90), "z": SIZE}.items():
        write_picture(tmp_path / "in" / f"{name}.png", size=size)
    work = Segmenter.predict

    def predict_small(segmenter, images):
        if images.shape[1] == 90:
            raise error
        return work(segmenter, images)

    monkeypatch.setattr(Segmenter, "predict", predict_small)
    with pytest.raises(DataError, match="1 of 3 inputs"):
        predict.run(PredictParams(), [tmp_path / "in"], model, tmp_path / "out")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "skipped" in line]
    assert "m.png: " in line
    assert "memory" in line
    assert written(tmp_path / "out") == {f"{name}.{kind}.png" for name in "az" for kind in ("label", "overlay")}
