"""Quantising: float16 beside int8, and models that are not quantised."""

import json

import numpy as np
import onnx
import pytest
import torch
from onnx.numpy_helper import to_array
from support.clockwork_model import picture
from support.family_models import copy_plain_net

from components import quantize
from components.quantize import QuantizeParams
from pixelwise.errors import ProviderError
from pixelwise.export.float16 import convert
from pixelwise.inference.session import open_model


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


@pytest.mark.parametrize(("folder", "graphs"), [("clockwork_model", 7), ("guided_folder", 5)])
@pytest.mark.covers("quantize", "clockwork", "guided")
def test_a_model_of_several_graphs_is_refused_in_one_line(folder, graphs, request, tiny_town, tmp_path, capsys):
    several = request.getfixturevalue(folder)
    with pytest.raises(SystemExit) as ended:
        quantize.main(["--model", str(several), "--data", str(tiny_town), "--out", str(tmp_path / "int8")])
    said = f"{ended.value}{capsys.readouterr().err}"
    assert f"{several}: found {graphs} graphs, expected one; other models are not quantised" in said
    assert said.count("\n") <= 1
    assert not (tmp_path / "int8").exists()
