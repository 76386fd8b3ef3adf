"""Large pictures are labelled in tiles: every pixel once, by the tile in which it lies deepest."""

from dataclasses import replace

import numpy as np
import pytest
from support.channel_model import channel_picture, write_channel_model
from support.clockwork_model import moving, picture

from pixelwise.errors import ModelError
from pixelwise.families.clockwork.runtime.engines import open_video_model
from pixelwise.families.options import PredictParams
from pixelwise.inference.session import open_model
from pixelwise.inference.tiles import MARGIN, split_side

SIDE = 128


@pytest.mark.parametrize("length", [1, 127, 128, 129, 160, 224, 225, 321, 1000])
def test_tiles_keep_every_pixel_once_and_none_near_their_borders(length):
    spans = split_side(length, SIDE)
    kept = [pixel for span in spans for pixel in range(span.first, span.last)]
    assert kept == list(range(length))
    for span in spans:
        assert span.end - span.start <= SIDE
        assert span.start % 32 == 0, "a net of stride 32 would place its cells otherwise"
        assert span.first == 0 or span.first - span.start >= MARGIN * SIDE
        assert span.last == length or span.end - span.last >= MARGIN * SIDE


def test_a_picture_in_tiles_has_the_labels_of_the_whole_picture(tmp_path):
    model = open_model(write_channel_model(tmp_path / "fcn"), tile=SIDE)
    images, labels = zip(*(channel_picture(seed, (150, 301)) for seed in (1, 2)), strict=True)
    assert np.array_equal(model.predict(np.stack(images)), np.stack(labels))


def test_a_picture_in_tiles_has_the_confidence_of_the_whole_picture(tmp_path):
    model = open_model(write_channel_model(tmp_path / "fcn", confidence=True), tile=SIDE)
    images = np.random.default_rng(0).integers(0, 256, (2, 150, 301, 3), np.uint8)
    labels, confidence = model.predict_with_confidence(images)
    assert np.array_equal(labels, images.argmax(axis=3))
    assert confidence.dtype == np.float32
    assert np.array_equal(confidence, images.max(axis=3).astype(np.float32) / np.float32(255))


def test_no_part_that_a_net_gets_is_larger_than_a_tile(tmp_path, monkeypatch):
    model = open_model(write_channel_model(tmp_path / "fcn"), tile=SIDE)
    seen, run = [], type(model).run

    def watch(segmenter, feeds, confidence):
        seen.append(feeds["image"].shape)
        return run(segmenter, feeds, confidence)

    monkeypatch.setattr(type(model), "run", watch)
    model.predict(np.zeros((2, 300, 8, 3), np.uint8))
    assert {(1, SIDE, 8, 3)} <= set(seen)
    assert max(shape[1] for shape in seen) == SIDE
    assert len(seen) == 2 * len(split_side(300, SIDE))


def test_margins_give_a_net_its_surroundings(clockwork_model):
    # The labels of this net mean nothing and depend on far more than a margin of 16 pixels.
    model = open_model(clockwork_model, "cpu", tile=SIDE)
    image = picture(1, (96, 384))[None]
    whole = replace(model, tile=1024).predict(image)
    cut = np.concatenate([model.predict(part) for part in np.split(image, 4, axis=2)], axis=2)
    tiled = model.predict(image)
    assert (tiled == whole).mean() > 0.9
    assert (tiled != whole).mean() < 0.7 * (cut != whole).mean()


@pytest.mark.parametrize("schedule", ["skip:9", "pipeline:3", "oracle"])
def test_a_large_frame_is_labelled_in_tiles_with_a_state_each(clockwork_model, schedule):
    engine = open_video_model(clockwork_model, schedule, "cpu")
    engine.model = replace(engine.model, plain=replace(engine.model.plain, tile=SIDE))
    frames = moving(3, size=(96, 256))
    steps = [engine.step(frame) for frame in frames]
    expected = engine.model.plain.predict(frames[0][None])[0]
    assert (steps[0].prediction == expected).mean() > 0.999
    assert [all(step.fired) for step in steps] == [True, schedule != "skip:9", schedule != "skip:9"]
    # A frame of another size starts anew.
    assert all(engine.step(frames[0][:, :100]).fired)


def test_a_tile_of_another_step_is_refused():
    with pytest.raises(ValueError, match="multiple of 128"):
        PredictParams(tile=1000)


def test_what_onnx_runtime_cannot_do_is_said_in_one_line_with_the_size(tmp_path, monkeypatch):
    model = open_model(write_channel_model(tmp_path / "fcn"))

    class Full:
        def run(self, outputs, feeds):
            raise RuntimeError("[ONNXRuntimeError] : 6 :\nFailed to allocate memory for requested buffer of size 9")

        def __getattr__(self, name):
            return getattr(model.session, name)

    with pytest.raises(ModelError, match=r"failed on image 1×20×30×3: .* Failed to allocate memory[^\n]*$"):
        replace(model, session=Full()).predict(np.zeros((1, 20, 30, 3), np.uint8))
