"""The benchmark of each family's model: its parts beside a whole pass, in one form of report."""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from support.fcn_model import one_line, read

from components import benchmark
from components.benchmark import BenchmarkParams
from pixelwise.errors import DataError, ModelError
from pixelwise.families.guided.measure import engines as guided_engines
from pixelwise.inference.openvino_session import open_core
from pixelwise.timing import Engine

SMALL = {"width": 64, "height": 48, "warmup": 1, "repeats": 3}
MEASURES = {"median_milliseconds", "p90_milliseconds", "images_per_second", "equal_pixels", "ratio"}
KEYS = {"images", "compared_with", *MEASURES}
PARTS = ["plain", "stage1", "stage2", "stage3", "fuse", "whole", "decode"]


def require_report(out, whole):
    """The engines in benchmark.json, after checks of what every family's report holds."""
    report = json.loads((out / "benchmark.json").read_text())
    assert report["onnx_median_milliseconds"] == report["engines"][whole]["median_milliseconds"] > 0
    assert report["engines"][whole]["ratio"] == {"median": 1.0, "p10": 1.0, "p90": 1.0}
    assert {frozenset(engine) for engine in report["engines"].values()} == {frozenset(KEYS)}
    for name, engine in report["engines"].items():
        part = name.removeprefix("openvino ")
        assert engine["compared_with"] == (whole if part == name else part)
    assert all(name in (out / "benchmark.txt").read_text() for name in report["engines"])
    return report["engines"]


def require_record(file, report):
    """What is stored for `auto` is what was measured; return what it says of OpenVINO."""
    record = json.loads(file.read_text())
    assert list(record["engines"]) == ["cpu", "openvino"]
    served = report["served_by"]
    assert report["served_median_milliseconds"] == record["engines"][served]["milliseconds"]
    assert record["engines"]["cpu"] == {"milliseconds": report["onnx_median_milliseconds"], "equal_pixels": 1}
    return record["engines"]["openvino"]


@pytest.mark.covers("benchmark", "clockwork")
def test_a_clockwork_is_timed_whole_in_stages_and_on_its_schedule_over_a_clip(clockwork_model, tiny_town, tmp_path):
    file = tmp_path / "engines.json"
    found = benchmark.run(BenchmarkParams(**SMALL), clockwork_model, tmp_path, tiny_town, file)
    assert found.left_out == {}
    parts, engines = [*PARTS, "schedule motion"], require_report(tmp_path, "plain")
    assert list(engines) == [*parts, *(f"openvino {part}" for part in parts)]
    openvino = require_record(file, read(tmp_path / "benchmark.json"))
    assert openvino["milliseconds"] == engines["openvino plain"]["median_milliseconds"]
    shares = [engines[f"openvino {part}"]["equal_pixels"] for part in ("plain", "schedule motion")]
    assert openvino["equal_pixels"] == min(shares) > 0.5
    # The town's validation clip has two frames, so the schedule's time a picture is half that of a run.
    schedule = found.describe("schedule motion")
    assert schedule["images"] == 2
    assert schedule["images_per_second"] == pytest.approx(2000 / schedule["median_milliseconds"])


def test_a_schedule_is_left_out_without_clips_and_says_what_gives_them(clockwork_model, tmp_path):
    found = benchmark.run(BenchmarkParams(**SMALL), clockwork_model, tmp_path)
    assert set(PARTS) < set(require_report(tmp_path, "plain"))
    assert "--data" in found.left_out["schedule motion"]


def test_a_split_that_is_not_there_is_named(clockwork_model, tiny_town, tmp_path):
    with pytest.raises(DataError, match="no split night"):
        benchmark.run(BenchmarkParams(**SMALL, split="night"), clockwork_model, tmp_path, tiny_town)


def test_openvino_is_left_out_where_it_is_not_installed(model, tmp_path, monkeypatch):
    open_core.cache_clear()
    monkeypatch.setitem(sys.modules, "openvino", None)
    params = BenchmarkParams(width=64, height=48, batch_size=1, warmup=1, repeats=1)
    found = benchmark.run(params, model, tmp_path)
    assert set(found.engines) == {"onnx", "torch eager"}
    assert found.left_out["openvino"].endswith("expected the extra pixelwise[openvino]")


@pytest.mark.covers("benchmark", "guided")
def test_a_guided_model_is_timed_whole_in_parts_and_by_a_click_that_encodes_nothing(guided_folder, tiny_town, tmp_path):
    benchmark.run(BenchmarkParams(**SMALL), guided_folder, tmp_path, tiny_town, tmp_path / "engines.json")
    parts, engines = ["whole pass", "encode", "guide", "segment", "click"], require_report(tmp_path, "whole pass")
    assert list(engines) == [*parts, *(f"openvino {part}" for part in parts)]
    openvino = require_record(tmp_path / "engines.json", read(tmp_path / "benchmark.json"))
    assert openvino["equal_pixels"] == engines["openvino whole pass"]["equal_pixels"] > 0.5
    assert engines["openvino encode"]["equal_pixels"] is None
    opened, _ = guided_engines.open_engines(BenchmarkParams(**SMALL), guided_folder, None, 1)
    encodes = opened["encode"].call.func.__self__
    before = encodes.encodes
    assert np.asarray(opened["click"].call()).shape == (48, 64)
    assert encodes.encodes == before
    opened["whole pass"].call()
    assert encodes.encodes == before + 1


def test_the_ratio_of_an_engine_is_that_of_its_time_a_picture_in_each_turn():
    engines = {"one": Engine(print, "one"), "four": Engine(print, "one", images=4)}
    times = {"one": [10.0, 20.0, 10.0], "four": [20.0, 40.0, 40.0]}
    found = benchmark.Benchmark(BenchmarkParams(), engines, times, {}).describe("four")
    assert found["ratio"]["median"] == 0.5
    assert found["images_per_second"] == 100.0


def test_mlflow_takes_the_name_of_every_engines_metric():
    from mlflow.utils.validation import _validate_metric_name

    for engine in ("onnx", "onnx int8, batch 4", "torch.compile", "schedule motion", "whole pass"):
        _validate_metric_name(benchmark.name_metric(engine))
    assert benchmark.name_metric("onnx, batch 4") == "benchmark/onnx_batch_4_ms"


@pytest.mark.covers("benchmark", "fcn")
def test_the_benchmark_times_every_engine_and_names_those_it_leaves_out(model, tmp_path, monkeypatch):
    def no_compiler(image):
        raise RuntimeError("No working C++ compiler found\nand much more")

    # Stands in for a machine without a compiler; `make test-slow` compiles.
    monkeypatch.setattr(torch, "compile", lambda module: no_compiler)
    params = BenchmarkParams(width=64, height=48, batch_size=2, warmup=1, repeats=2, torch_compile=True)
    benchmark.run(params, model, tmp_path, engines=tmp_path / "engines.json")
    report = read(tmp_path / "benchmark.json")
    require_record(tmp_path / "engines.json", report)
    names = ["onnx", "openvino", "torch eager"]
    assert list(report["engines"]) == [*names, *(f"{name}, batch 2" for name in names)]
    assert all(engine["equal_pixels"] > 0.9 for engine in report["engines"].values())
    assert report["engines"]["onnx"]["equal_pixels"] == 1
    assert set(report["left_out"]) == {"onnx int8", "torch compile"}
    assert report["left_out"]["onnx int8"] == "not offered by quantize"
    assert report["left_out"]["torch compile"] == "RuntimeError: No working C++ compiler found"
    assert report["picture"] == [48, 64]
    onnx_engine = report["engines"]["onnx"]
    assert onnx_engine["ratio"] == {"median": 1.0, "p10": 1.0, "p90": 1.0}
    assert report["onnx_median_milliseconds"] == onnx_engine["median_milliseconds"] > 0
    batched = report["engines"]["torch eager, batch 2"]
    assert (batched["images"], batched["compared_with"]) == (2, "onnx, batch 2")
    assert batched["images_per_second"] == pytest.approx(2000 / batched["median_milliseconds"])
    text = (tmp_path / "benchmark.txt").read_text()
    assert "64×48 on cpu" in text
    assert "torch compile: left out" in text


@pytest.mark.slow
def test_the_benchmark_times_the_compiled_net_too(model, tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler: no g++")
    torch._dynamo.reset()
    params = BenchmarkParams(width=64, height=48, batch_size=1, warmup=1, repeats=2, torch_compile=True)
    benchmark.run(params, model, tmp_path)
    report = read(tmp_path / "benchmark.json")
    assert set(report["engines"]) == {"onnx", "openvino", "torch eager", "torch compile"}
    assert set(report["left_out"]) == {"onnx int8"}


def test_a_benchmark_of_what_was_not_exported_is_an_error_of_one_line(checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "model" / "checkpoint")
    act = lambda: benchmark.run(BenchmarkParams(), tmp_path / "model", tmp_path / "out")  # noqa: E731
    assert "model.onnx: no such file" in one_line(act, ModelError)
