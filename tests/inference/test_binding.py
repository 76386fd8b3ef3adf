"""I/O binding, which a GPU takes: on the CPU, it must give what a plain run gives, to the bit."""

import numpy as np
import onnxruntime as ort
import pytest
from support.clockwork_model import moving

from pixelwise.errors import ModelError
from pixelwise.families.clockwork.runtime.clockwork_engine import FEATURES, Clockwork, open_staged, run_stage
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.families.clockwork.runtime.schedules import parse_schedule
from pixelwise.families.clockwork.studies.velocity import predict_by_stride, score_strides
from pixelwise.inference import binding

FRAMES = moving(5)


@pytest.fixture(scope="module")
def staged(clockwork_model):
    return open_staged(clockwork_model, "cpu")


@pytest.fixture
def bound(monkeypatch):
    """From the call on, the CPU is a device whose values stay."""
    return lambda: monkeypatch.setitem(binding.DEVICES, "CPUExecutionProvider", "cpu")


@pytest.mark.parametrize("words", ["motion:0.3", "mend:2", "learned:0.01", "adaptive:0.1", "pipeline:3", "truncated:1"])
def test_a_schedule_labels_alike_where_the_values_of_stages_stay(words, staged, bound):
    def label():
        engine = open_engine(staged, words)
        return [engine.step(frame) for frame in FRAMES]

    plain = label()
    bound()
    for found, expected in zip(label(), plain, strict=True):
        assert found.fired == expected.fired
        assert (found.prediction == expected.prediction).all()


def test_what_a_stage_gives_stays_until_it_is_fetched(staged, bound):
    (stage, *_), frame = staged.stages, FRAMES[0][None]
    plain = run_stage(stage, frame)
    assert all(isinstance(value, np.ndarray) for value in plain.values())
    bound()
    engine = Clockwork(staged, parse_schedule("oracle", 3))
    engine.step(FRAMES[0])
    for name, value in engine.states[0].items():
        assert isinstance(value, ort.OrtValue)
        assert binding.read_shape(value) == plain[name].shape
        assert (binding.fetch(value) == plain[name]).all()
    with pytest.raises(ModelError, match=rf"failed on \w+ {'×'.join(map(str, plain[FEATURES].shape))}"):
        run_stage(stage, engine.states[0][FEATURES])


def test_a_picture_in_any_memory_layout_is_labelled_alike(staged, bound):
    pictures = np.stack(FRAMES[:2])[:, ::-1, ::2]
    plain = staged.plain.label({"image": pictures}, staged.plain.gives_confidence)
    by_stride = predict_by_stride(staged, score_strides(staged, FRAMES[0]), 8, FRAMES[0])
    bound()
    found = staged.plain.label({"image": pictures}, staged.plain.gives_confidence)
    assert found.keys() == plain.keys()
    assert all((found[name] == plain[name]).all() for name in plain)
    assert (predict_by_stride(staged, score_strides(staged, FRAMES[0]), 8, FRAMES[0]) == by_stride).all()
