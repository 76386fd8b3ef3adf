"""Quantising: float16 beside int8, and models that are not quantised."""

import json
import shutil

import numpy as np
import onnx
import pytest
import torch
from onnx.numpy_helper import to_array
from support.clockwork_model import picture
from support.family_models import copy_plain_net

from components import quantize
from components.quantize import QuantizeParams
from pixelwise.errors import ModelError, ProviderError
from pixelwise.export.float16 import convert
from pixelwise.families.clockwork.runtime.clockwork_engine import open_staged
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.inference.exported_models import identify
from pixelwise.inference.session import open_model

SMALL = ("model.onnx", "scores.onnx")


@pytest.fixture(scope="module")
def model(clockwork_model, tmp_path_factory):
    """A model of one graph whose labels depend on every layer."""
    return copy_plain_net(clockwork_model, tmp_path_factory.mktemp("model") / "fcn", "fcn")


def test_a_float16_graph_labels_as_float32_does_at_any_size(model, tmp_path):
    convert(model / "onnx/model.onnx", tmp_path / "small.onnx")
    weights = [to_array(tensor) for tensor in onnx.load(tmp_path / "small.onnx").graph.initializer]
    assert {values.dtype for values in weights if values.ndim == 4} == {np.dtype(np.float16)}
    # The CPU computes it too, in float32 around the rounding of every value.
    small, whole = open_model(tmp_path / "small.onnx", "cpu"), open_model(model, "cpu")
    assert small.metadata == whole.metadata
    for size in ((96, 128), (97, 131)):
        pictures = np.stack([picture(seed, size) for seed in range(3)])
        expected = whole.predict(pictures)
        assert len(np.unique(expected)) > 1
        assert (small.predict(pictures) == expected).mean() >= 0.99


def test_a_float16_graph_is_offered_by_the_verdict_of_int8(model, tiny_town, tmp_path, monkeypatch):
    monkeypatch.setitem(quantize.PROVIDERS, "float16", "cpu")
    monkeypatch.setattr(quantize, "measure_speedup", lambda *_: 1.2)
    for min_speedup, is_offered in ((1.1, True), (1.3, False)):
        params = QuantizeParams(precision="float16", max_loss=0.02, min_speedup=min_speedup)
        found = quantize.run(params, model, tiny_town, tmp_path)
        assert found.mean_iu == pytest.approx(found.mean_iu_float32, abs=0.02)
        assert str(found).startswith(f"float16: mean IU {found.mean_iu:.3f}")
        facts = json.loads((tmp_path / "quantization.json").read_text())
        assert (facts["offered"], facts["mean_iu_float16"]) == (is_offered, found.mean_iu)
        assert (tmp_path / "onnx/model.onnx").exists() is is_offered


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
def test_float16_is_refused_without_cuda_and_leaves_nothing(model, tiny_town, tmp_path):
    with pytest.raises(ProviderError, match=r"^provider cuda: "):
        quantize.run(QuantizeParams(precision="float16"), model, tiny_town, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.covers("quantize", "clockwork")
def test_a_clockwork_in_int8_runs_schedules_and_is_another_model(clockwork_model, tiny_town, tmp_path):
    model = tmp_path / "clockwork"
    shutil.copytree(clockwork_model, model)
    before = identify(model)
    with pytest.raises(ModelError, match=r"int8/onnx/scores.onnx: no such file, expected what `pixelwise quantize`"):
        open_engine(open_staged(model, "cpu"), "int8-carry:2")
    params = QuantizeParams(max_loss=1, min_speedup=0, calibration_images=4, repeats=1)
    assert not quantize.run(params, model, tiny_town, model / "int8").reasons
    assert identify(model) != before
    staged, small = open_staged(model, "cpu"), open_model(model / "int8", "cpu")
    frames = [picture(seed) for seed in range(2)]
    for one in frames:
        engine = open_engine(staged, "int8-carry:1")
        # The part that was cut out gives its scores unrounded; the whole graph rounds them to int8 before it decodes.
        assert (engine.step(one).prediction == small.predict(one[None])[0]).mean() > 0.98
        assert (engine.step(one).prediction == staged.plain.predict(one[None])[0]).mean() < 1
    kinds = [{node.op_type for node in onnx.load(model / "int8/onnx" / name).graph.node} for name in SMALL]
    assert all("QuantizeLinear" in kind for kind in kinds)
    assert "ArgMax" in kinds[0] - kinds[1]


@pytest.mark.covers("quantize", "guided")
def test_a_model_without_a_graph_that_labels_is_refused_in_one_line(guided_folder, tiny_town, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        quantize.main(["--model", str(guided_folder), "--data", str(tiny_town), "--out", str(tmp_path / "int8")])
    said = f"{ended.value}{capsys.readouterr().err}"
    assert f"{guided_folder}: found " in said
    assert ", expected model; other models are not quantised" in said
    assert said.count("\n") <= 1
    assert not (tmp_path / "int8").exists()
