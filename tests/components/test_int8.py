"""Quantising an FCN to int8: the verdict, and what is written."""

import shutil
from time import sleep
from types import SimpleNamespace

import onnx
import pytest
from support.fcn_model import read

from components import quantize
from components.quantize import QuantizeParams
from pixelwise.errors import ParamsError
from pixelwise.identity import sha256_file
from pixelwise.inference.session import open_model


def test_quantising_leaves_what_it_did_not_write(model, data, tmp_path, monkeypatch):
    monkeypatch.setattr(quantize, "measure_mean_iu", lambda segmenter, split, words: 0.5)
    monkeypatch.setattr(quantize, "quantize", lambda source, target, calibration: shutil.copy(source, target))
    (tmp_path / "precious.txt").write_text("mine")
    quantize.run(QuantizeParams(), model, data, tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"
    before = sha256_file(model / "onnx/model.onnx")
    with pytest.raises(ParamsError, match="found the folder of the model itself, expected another folder"):
        quantize.run(QuantizeParams(), model, data, model)
    assert sha256_file(model / "onnx/model.onnx") == before


@pytest.mark.covers("quantize", "fcn")
def test_an_int8_graph_within_its_bound_is_offered_with_its_metadata(model, data, val, tmp_path):
    out = tmp_path / "int8"
    found = quantize.run(QuantizeParams(max_loss=1.0, min_speedup=0, calibration_images=2), model, data, out)
    facts = read(out / "quantization.json")
    assert found.reasons == []
    assert facts["offered"] is True
    assert facts["graphs"] == {"model": {"sha256": sha256_file(out / "onnx/model.onnx")}}
    assert facts["mean_iu_int8"] == found.mean_iu
    assert facts["speedup"] == found.speedup > 0
    assert sorted(file.name for file in out.rglob("*")) == ["model.onnx", "onnx", "quantization.json"]
    small, whole = open_model(out), open_model(model)
    assert small.metadata == whole.metadata
    assert (out / "onnx/model.onnx").stat().st_size < 0.5 * (model / "onnx/model.onnx").stat().st_size
    operators = {node.op_type for node in onnx.load(out / "onnx/model.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert small.predict(val[0].image[None, :41, :50]).shape == (1, 41, 50)


def test_the_speed_of_int8_is_that_of_runs_in_turns():
    graphs = [SimpleNamespace(label=lambda _, pause=pause: sleep(pause)) for pause in (0.03, 0.01)]
    assert 2 < quantize.measure_speedup(*graphs, {}, repeats=3) < 3.5


def test_an_int8_graph_that_costs_too_much_is_not_offered_and_an_older_one_goes(model, data, tmp_path, monkeypatch):
    scores = {"score float32": 0.5, "score int8": 0.4}
    monkeypatch.setattr(quantize, "measure_mean_iu", lambda segmenter, split, words: scores[words])
    # What is under test is the verdict; the graph itself need not be int8.
    monkeypatch.setattr(quantize, "quantize", lambda source, target, calibration: shutil.copy(source, target))
    out = tmp_path / "int8"
    monkeypatch.setattr(quantize, "measure_speedup", lambda *_: 1.2)
    slow = "1.20 times as fast, less than 1.30"
    limits = [(0.2, 1.1, []), (0.2, 1.3, [slow]), (0.05, 1.1, ["loses 0.100 mean IU, more than 0.050"])]
    for max_loss, min_speedup, reasons in limits:
        found = quantize.run(QuantizeParams(max_loss=max_loss, min_speedup=min_speedup), model, data, out)
        assert found.reasons == reasons
        assert (out / "onnx/model.onnx").exists() is (not reasons)
        assert read(out / "quantization.json")["reasons"] == reasons
        assert all(reason in str(found) for reason in reasons)
    facts = read(out / "quantization.json")
    assert facts["offered"] is False
    assert facts["graphs"] == {}
    assert facts["mean_iu_float32"] - facts["mean_iu_int8"] == pytest.approx(0.1)
    assert "not offered" in str(found)
    assert [file.name for file in out.iterdir()] == ["quantization.json"]
