"""From a tiny town to a shipped model: train, export, quantise and benchmark as they are, on pictures of 64 by 64."""

import json
import shutil
from pathlib import Path
from time import sleep
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from components import benchmark, export, quantize, train
from components.benchmark import BenchmarkParams
from components.export import ExportParams
from components.quantize import QuantizeParams
from pixelwise.data.augmentation import AugmentParams
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError, ParamsError, PixelwiseError
from pixelwise.families import trainer
from pixelwise.families.fcn import family as fcn
from pixelwise.families.trained import list_graphs, load_trained
from pixelwise.identity import sha256_file
from pixelwise.inference.session import open_model
from pixelwise.stage_inputs import InputsChangedError
from pixelwise.training.checkpoints import load_tensors

EPOCHS = 2
PARAMS = fcn.TrainParams(
    epochs=EPOCHS,
    batch_size=2,
    warmup_steps=1,
    validate_every=1,
    device="cpu",
    augment=AugmentParams(crop_width=64, crop_height=64),
)


def train_fcn(data, out, params=PARAMS, state=None):
    return train.run(params, "fcn", data, out, state or out.with_name(f"{out.name}-state"), tracking="none")


def read(path):
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "checkpoint"
    train_fcn(data, out)
    return out


@pytest.fixture(scope="module")
def model(checkpoint):
    export.run(ExportParams(), checkpoint, checkpoint.parent)
    return checkpoint.parent


@pytest.fixture(scope="module")
def val(data):
    return PreparedData(data).split("val")


def one_line(act, error: type[PixelwiseError]) -> str:
    with pytest.raises(error) as raised:
        act()
    assert "\n" not in str(raised.value)
    return str(raised.value)


# Train


@pytest.mark.parametrize(
    ("variables", "options", "named"),
    [
        ({}, {}, ("fcn", "train-fcn")),
        ({"MLFLOW_EXPERIMENT_NAME": "roads", "MLFLOW_RUN_NAME": "monday"}, {}, ("roads", "monday")),
        ({"MLFLOW_EXPERIMENT_NAME": "roads"}, {"experiment": "asked", "name": "also"}, ("asked", "also")),
    ],
)
def test_experiment_and_run_have_the_names_that_mlflows_variables_give(variables, options, named, monkeypatch):
    for name in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_NAME"):
        monkeypatch.setenv(name, variables.get(name, ""))
    monkeypatch.setattr(train, "learn", lambda *arguments: arguments[6:8])
    assert train.run(PARAMS, "fcn", Path("data"), Path("out"), Path("state"), **options) == named


@pytest.mark.covers("train", "fcn")
def test_training_leaves_weights_curves_and_their_origin_and_no_state(data, checkpoint):
    assert {file.name for file in checkpoint.iterdir()} == {
        "weights.safetensors",
        "model.json",
        "run.json",
        "history.json",
    }
    assert not checkpoint.with_name("checkpoint-state").exists()
    classes = PreparedData(data).classes
    described, run, history = (read(checkpoint / f"{name}.json") for name in ("model", "run", "history"))
    assert described["family"] == "fcn"
    assert described["network"] == PARAMS.network.model_dump(mode="json")
    assert described["classes"] == list(classes.names)
    assert described["palette"] == [list(colour) for colour in classes.palette]
    assert described["data"] == sha256_file(data / "dataset.json")
    assert run["run_id"] is None
    assert run["experiment"] == "fcn"
    assert run["fingerprint"] == described["fingerprint"]
    assert run["parts"]["parameters"] == PARAMS.model_dump(mode="json")
    assert set(run["parts"]) == {"parameters", "data", "code", "environment"}
    assert [row["epoch"] for row in history] == [1, 2]
    scores = {"val/mean_iu", "val/pixel_accuracy", "val/mean_accuracy", "val/frequency_weighted_iu"}
    assert all(scores | {"train/loss", "learning_rate", "images_per_second"} <= set(row) for row in history)


def test_the_kept_weights_score_what_the_best_epoch_says(checkpoint, data):
    _, net = load_trained(checkpoint)
    prepared = PreparedData(data)
    task = fcn.make_task(prepared, PARAMS)
    best = max(row["val/mean_iu"] for row in read(checkpoint / "history.json"))
    assert task.score(net)["val/mean_iu"] == pytest.approx(best, abs=1e-6)


def raise_changed():
    raise InputsChangedError("fcn.train.epochs was changed while the stage ran")


def test_training_twice_gives_the_same_bytes_even_if_killed_or_refused(data, checkpoint, tmp_path, monkeypatch):
    loss, calls = fcn.StillImageTask.loss, []

    def killed(self, net, batch):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return loss(self, net, batch)

    monkeypatch.setattr(fcn.StillImageTask, "loss", killed)
    out = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        train_fcn(data, out)
    assert not out.exists()
    with monkeypatch.context() as edited:
        edited.setattr(trainer, "require_unchanged", raise_changed)
        with pytest.raises(InputsChangedError):
            train_fcn(data, out)
    assert not out.exists()
    report = train_fcn(data, out)
    for name in ("weights.safetensors", "model.json", "run.json"):
        assert (out / name).read_bytes() == (checkpoint / name).read_bytes(), name
    assert len(calls) == 4 + 2
    assert f"pixelwise export --section fcn.export --model {out}" in str(report)


def test_training_on_missing_data_is_an_error_of_one_line_and_leaves_nothing(tmp_path):
    message = one_line(lambda: train_fcn(tmp_path / "nowhere", tmp_path / "out"), DataError)
    assert str(tmp_path / "nowhere") in message
    assert list(tmp_path.iterdir()) == []


def test_training_on_a_missing_split_names_those_that_there_are(data, tmp_path):
    params = PARAMS.model_copy(update={"val_split": "validation"})
    message = one_line(lambda: train_fcn(data, tmp_path / "out", params), DataError)
    assert "no split validation" in message
    assert "train, val, test" in message


def test_training_with_an_unknown_backbone_or_family_is_an_error_of_one_line(data, tmp_path):
    network = PARAMS.network.model_copy(update={"backbone": "effnet"})
    params = PARAMS.model_copy(update={"network": network})
    assert "effnet" in one_line(lambda: train_fcn(data, tmp_path / "out", params), ModelError)
    state = tmp_path / "state"
    act = lambda: train.run(PARAMS, "fnc", data, tmp_path / "out", state, tracking="none")  # noqa: E731
    assert "expected one of clockwork, composition, fcn, guided" in one_line(act, ParamsError)


# Export


@pytest.mark.covers("export", "fcn")
def test_the_graph_agrees_with_torch_at_odd_sizes_and_several_batches(model):
    exported = read(model / "export.json")
    sizes = exported["graphs"]["model"]["sizes"]
    assert exported["parity"] == min(size["agreement"] for size in sizes) >= 0.999
    assert any(size["height"] % 2 and size["width"] % 2 for size in sizes)
    assert {1, 3} <= {size["batch"] for size in sizes}
    assert exported["fingerprint"] == read(model / "checkpoint" / "model.json")["fingerprint"]
    assert exported["graphs"]["model"]["sha256"] == sha256_file(model / "onnx/model.onnx")
    assert exported["graphs"]["model"]["bytes"] == (model / "onnx/model.onnx").stat().st_size


def test_the_graph_tells_what_it_takes_and_where_it_comes_from(model):
    graph = onnx.load(model / "onnx/model.onnx")
    described = read(model / "checkpoint" / "model.json")
    facts = {entry.key: entry.value for entry in graph.metadata_props}
    assert facts["family"] == "fcn"
    assert facts["fingerprint"] == described["fingerprint"]
    assert facts["data"] == described["data"]
    assert json.loads(facts["classes"]) == described["classes"]
    assert json.loads(facts["palette"]) == described["palette"]
    assert json.loads(facts["inputs"]) == {"image": "uint8 (batch, height, width, 3)"}
    assert facts["temperature"] == str(described["temperature"])
    assert [node.name for node in graph.graph.input] == ["image", "with_confidence"]
    assert [node.name for node in graph.graph.output] == ["prediction", "confidence"]
    assert [entry.version for entry in graph.opset_import if not entry.domain] == [ExportParams().opset]
    assert [file.name for file in (model / "onnx").iterdir()] == ["model.onnx"]


def test_the_opened_model_predicts_what_torch_predicts(model, val):
    segmenter = open_model(model, "cpu")
    described, net = load_trained(model / "checkpoint")
    (graph,) = list_graphs(described, net)
    images = np.stack([sample.image for sample in val])
    for batch in (images, images[:, :, ::-1].copy(), images[:1, :57, :63], images[:, :1, :1]):
        with torch.inference_mode():
            labels, confidence = (output.numpy() for output in graph.module(torch.from_numpy(batch.copy())))
            logits = net(torch.from_numpy(batch.copy()).permute(0, 3, 1, 2).float())
            probabilities = torch.softmax(logits / described["temperature"], dim=1).amax(dim=1).numpy()
        predicted, sure = segmenter.predict_with_confidence(batch)
        assert (predicted == labels).mean() >= 0.999
        assert np.array_equal(segmenter.predict(batch), predicted)
        assert np.allclose(confidence, probabilities, atol=1e-6)
        assert np.allclose(sure, probabilities, atol=1e-4)
        assert sure.dtype == np.float32
        assert 0 < sure.min() <= sure.max() <= 1
    assert segmenter.names == val.classes.names
    assert segmenter.palette == val.classes.palette


def test_a_graph_that_disagrees_with_torch_does_not_leave_and_the_older_one_stays(model, tmp_path, monkeypatch):
    class Shifting(nn.Module):
        """Says something else each time it is asked."""

        def forward(self, image):
            return image[..., 0] if torch.compiler.is_compiling() else image[..., 0] + 1

    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx/model.onnx").write_bytes(b"the older one")
    graphs = fcn.graphs
    # Without a temperature, so that labels are the only output.
    monkeypatch.setattr(fcn, "graphs", lambda *net: [replaced(graph, Shifting()) for graph in graphs(*net[:3])])
    message = one_line(lambda: export.run(ExportParams(), model / "checkpoint", tmp_path), ModelError)
    assert "agrees with torch on 0.0000% of the pixels at 1×360×480, expected 99.90%" in message
    assert [file.name for file in tmp_path.rglob("*")] == ["onnx", "model.onnx"]
    assert (tmp_path / "onnx/model.onnx").read_bytes() == b"the older one"


def test_confidence_that_is_not_asked_for_is_not_computed(model):
    session, image = open_model(model, "cpu").session, np.zeros((1, 40, 50, 3), np.uint8)
    label, confidence = session.run(None, {"image": image})
    assert (label.shape, confidence.shape) == ((1, 40, 50), (0, 0, 0))
    (choice,) = (node for node in onnx.load(model / "onnx/model.onnx").graph.node if node.op_type == "If")
    branches = {attribute.name: [node.op_type for node in attribute.g.node] for attribute in choice.attribute}
    assert branches["else_branch"] == ["Constant"]
    assert "Exp" in branches["then_branch"]
    assert "Conv" not in branches["then_branch"]


def test_a_confidence_that_disagrees_with_torch_does_not_leave(model, tmp_path, monkeypatch):
    class Shifting(nn.Module):
        """Right labels, and a confidence that is another in the graph."""

        def forward(self, image):
            share = 0.5 if torch.compiler.is_compiling() else 0.502
            return image[..., 0], image[..., 0] * 0.0 + share

    graphs = fcn.graphs
    monkeypatch.setattr(fcn, "graphs", lambda *net: [replaced(graph, Shifting()) for graph in graphs(*net)])
    message = one_line(lambda: export.run(ExportParams(), model / "checkpoint", tmp_path), ModelError)
    assert "agrees with torch on 0.0000% of the pixels" in message


def replaced(graph, module):
    return type(graph)(**{**vars(graph), "module": module})


def test_exporting_what_was_not_trained_is_an_error_of_one_line(checkpoint, tmp_path):
    assert "model.json: no such file" in one_line(lambda: export.run(ExportParams(), tmp_path, tmp_path), ModelError)
    broken = shutil.copytree(checkpoint, tmp_path / "broken")
    weights = broken / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    act = lambda: export.run(ExportParams(), broken, tmp_path / "out")  # noqa: E731
    assert "weights.safetensors: not a safetensors file" in one_line(act, ModelError)
    described = read(checkpoint / "model.json")
    (broken / "model.json").write_text(json.dumps({**described, "classes": described["classes"][:-1]}))
    shutil.copy(checkpoint / "weights.safetensors", weights)
    assert "fusion.score" in one_line(act, ModelError)
    assert not (tmp_path / "out").exists()


def test_the_saved_weights_are_those_of_the_net_and_nothing_else(checkpoint):
    described, net = load_trained(checkpoint)
    tensors, _ = load_tensors(checkpoint / "weights.safetensors")
    assert tensors.keys() == net.state_dict().keys()
    assert not net.training
    assert next(iter(net.fusion.score)).weight.shape[0] == len(described["classes"])


# Quantise


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


def test_a_training_removes_its_state_and_nothing_else_of_that_folder(data, tmp_path):
    state = tmp_path / "state"
    (state / "0123456789abcdef").mkdir(parents=True)
    (state / "precious.txt").write_text("mine")
    train_fcn(data, tmp_path / "out", state=state)
    assert [file.name for file in state.iterdir()] == ["precious.txt"]


# Benchmark


@pytest.mark.covers("benchmark", "fcn")
def test_the_benchmark_times_every_engine_and_names_those_it_leaves_out(model, tmp_path, monkeypatch):
    def no_compiler(image):
        raise RuntimeError("No working C++ compiler found\nand much more")

    # Stands in for a machine without a compiler; `make test-slow` compiles.
    monkeypatch.setattr(torch, "compile", lambda module: no_compiler)
    params = BenchmarkParams(width=64, height=48, batch_size=2, warmup=1, repeats=2, torch_compile=True)
    benchmark.run(params, model, tmp_path)
    report = read(tmp_path / "benchmark.json")
    assert list(report["engines"]) == ["onnx", "torch eager", "onnx, batch 2", "torch eager, batch 2"]
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
    assert set(report["engines"]) == {"onnx", "torch eager", "torch compile"}
    assert set(report["left_out"]) == {"onnx int8"}


def test_a_benchmark_of_what_was_not_exported_is_an_error_of_one_line(checkpoint, tmp_path):
    shutil.copytree(checkpoint, tmp_path / "model" / "checkpoint")
    act = lambda: benchmark.run(BenchmarkParams(), tmp_path / "model", tmp_path / "out")  # noqa: E731
    assert "model.onnx: no such file" in one_line(act, ModelError)
