"""The FCN family: what its parameters build, learn and ship, on a small town."""

import json

import numpy as np
import pytest
import torch
from support.image_sets import noise
from support.tiny_nets import TINY_BACKBONE
from support.tiny_town import TINY_TOWN

from components import benchmark, evaluate, export, quantize, train
from components.benchmark import BenchmarkParams
from components.export import ExportParams
from components.quantize import QuantizeParams
from pixelwise.data.masking import MEAN_COLOUR
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.evaluation.results import make_tracked_metrics
from pixelwise.export.int8 import find_first_convolutions
from pixelwise.families.fcn import family as fcn
from pixelwise.families.options import EvaluateParams, PredictParams
from pixelwise.families.trained import load_trained
from pixelwise.inference.session import GEOMETRY, open_model
from pixelwise.tools import predict
from pixelwise.training.objectives import compute_pixel_loss

WHOLE = {"whole": True, "mirror": False, "colour": 0.0}


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


def params(network=None, augment=None, objective=None, **changes) -> fcn.TrainParams:
    base = {"epochs": 1, "batch_size": 4, "warmup_steps": 0, "validate_every": 1, "loader_threads": 1, "device": "cpu"}
    return fcn.TrainParams.model_validate(
        base
        | {
            "network": {"backbone": TINY_BACKBONE, "weights": "none", **(network or {})},
            "augment": {**WHOLE, **(augment or {})},
        }
        | {"objective": objective or {}}
        | changes
    )


def trained(data, folder, settings: fcn.TrainParams):
    return train.run(settings, "fcn", data, folder / "checkpoint", folder / "state", "none")


def batch_of(task, count=2):
    samples = [task.sample(0, 0, index) for index in range(count)]
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


@pytest.mark.parametrize(
    ("inputs", "heads", "outputs"),
    [
        ("rgbd", "both", ("prediction", "geometry")),
        ("hha", "geometry", ("geometry",)),
        pytest.param("rgb", "both", ("prediction", "geometry"), marks=pytest.mark.slow),
        pytest.param("rgb-hha", "both", ("prediction", "geometry"), marks=pytest.mark.slow),
    ],
)
def test_a_net_of_any_inputs_and_heads_goes_through_every_step(data, tmp_path, inputs, heads, outputs):
    network = {"inputs": inputs, "heads": heads, "strides": [32]}
    last = trained(data, tmp_path, params(network, learning_rate=3e-3)).history[-1]
    assert np.isfinite(last["train/loss"])
    assert export.run(ExportParams(), tmp_path / "checkpoint", tmp_path).parity >= 0.999
    segmenter = open_model(tmp_path, "cpu")
    assert (segmenter.inputs, segmenter.outputs) == (fcn.INPUTS[inputs], outputs)

    found = evaluate.run(EvaluateParams(batch_size=2), tmp_path, data=data, out=tmp_path / "evaluate")
    scores = found.metrics()
    assert scores == json.loads((tmp_path / "evaluate" / "metrics.json").read_text())
    for name in ("mean_iu", "pixel_accuracy", "geometry_accuracy"):
        assert scores[name] == pytest.approx(last[f"val/{name}"], abs=2e-3)
        assert make_tracked_metrics(found)[f"evaluate/val/{name}"] == scores[name]
    assert "geometry accuracy" in str(found)
    assert scores["classes"] == list(GEOMETRY if outputs[0] == "geometry" else PreparedData(data).classes.names)

    small = quantize.run(
        QuantizeParams(calibration_images=2, max_loss=1.0, min_speedup=0), tmp_path, data, tmp_path / "int8"
    )
    assert small.mean_iu_float32 == pytest.approx(scores["mean_iu"], abs=1e-9)
    assert open_model(tmp_path / "int8").inputs == segmenter.inputs
    assert len(find_first_convolutions(tmp_path / "onnx/model.onnx")) == (2 if inputs == "rgb-hha" else 1)

    timing = BenchmarkParams(width=64, height=48, batch_size=1, warmup=1, repeats=1)
    report = benchmark.run(timing, tmp_path, tmp_path / "benchmark").report()
    assert set(report["engines"]) == {"onnx", "onnx int8", "openvino", "openvino int8", "torch eager"}

    noise(0).save(tmp_path / "a.png")
    if inputs == "rgb":
        assert predict.run(PredictParams(), [tmp_path / "a.png"], tmp_path, tmp_path / "predictions").images == 1
    else:
        with pytest.raises(ModelError, match=f"takes {' and '.join(segmenter.inputs)}, expected image alone"):
            predict.run(PredictParams(), [tmp_path / "a.png"], tmp_path, tmp_path / "predictions")


def test_two_heads_learn_from_the_sum_of_their_losses(data):
    settings = params({"heads": "both", "strides": [32], "dropout": 0.0})
    prepared = PreparedData(data)
    torch.manual_seed(0)
    net = fcn.build(settings.network, len(prepared.classes)).eval()
    for parameter in net.fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.01)
    joint = fcn.make_task(prepared, settings)
    batch = batch_of(joint)
    total = joint.loss(net, batch)
    parts = joint.split_heads(net(batch["image"].permute(0, 3, 1, 2).float()))
    weights = joint.weights
    semantic = compute_pixel_loss(parts["semantic"], batch["label"], weights=weights)
    geometry = compute_pixel_loss(parts["geometry"], batch["geometry"])
    learned = list(net.parameters())
    gradients = [torch.autograd.grad(loss, learned, retain_graph=True) for loss in (total, semantic, geometry)]
    for whole, first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, first + second, rtol=1e-4, atol=1e-6)


def test_stages_learn_one_after_the_other_and_the_last_has_every_stream(data, tmp_path, monkeypatch):
    seen = []
    fit_loop = fcn.fit_loop

    def watched(net, task, settings, state, record):
        before = {name: value.clone() for name, value in net.fusion.state_dict().items()}
        rows = fit_loop(net, task, settings, state, record)
        moved = [not torch.equal(before[name], value) for name, value in net.fusion.state_dict().items()]
        seen.append((net.fusion.active, settings.learning_rate, moved[::2]))
        return rows

    monkeypatch.setattr(fcn, "fit_loop", watched)
    found = trained(data, tmp_path, params(staged=True, staged_rate_factor=0.5, learning_rate=0.01))
    assert [active for active, _, _ in seen] == [1, 2, 3]
    assert [rate for _, rate, _ in seen] == pytest.approx([0.01, 0.005, 0.0025])
    # A stream that does not take part yet stays at zero, so that it does not disturb when it comes.
    assert [moved for _, _, moved in seen] == [[True, False, False], [True, True, False], [True, True, True]]
    assert [row["epoch"] for row in found.history] == [1, 2, 3]


def test_a_masked_picture_is_scored_as_it_is_asked_for_and_the_training_stays(data, tmp_path):
    settings = params({"strides": [32]}, learning_rate=3e-3)
    found = trained(data, tmp_path, settings)
    _, net = load_trained(tmp_path / "checkpoint")
    prepared = PreparedData(data)
    plain = fcn.rescore(net, prepared, settings)
    assert plain["val/mean_iu"] == pytest.approx(found.history[-1]["val/mean_iu"], abs=1e-6)
    hidden = settings.model_copy(update={"augment": settings.augment.model_copy(update={"masking": "foreground"})})
    task = fcn.make_task(prepared, hidden)
    # What is scored, and what is learned from.
    for maps in (task.read_maps(task.val, 0), task.sample(0, 0, 0)):
        is_foreground = (maps["label"] > 0) & (maps["label"] != 255)
        assert is_foreground.any()
        assert (maps["image"][is_foreground] == MEAN_COLOUR).all()
    assert fcn.rescore(net, prepared, hidden) != plain


class OneClass(torch.nn.Module):
    """Labels every pixel with one class."""

    def __init__(self, chosen, classes):
        super().__init__()
        self.scores = torch.nn.Parameter(torch.nn.functional.one_hot(torch.tensor(chosen), classes).float())

    def forward(self, image):
        return self.scores.view(1, -1, 1, 1).expand(len(image), -1, *image.shape[2:])


def test_the_foregrounds_mean_iu_is_that_of_the_foreground_classes_alone(data):
    prepared = PreparedData(data)
    names, pixels = prepared.classes.names, np.sum([row["pixels"] for row in prepared.split("val").rows], axis=0)
    first, second = np.argsort(pixels)[-2:]
    task = fcn.make_task(prepared, params(augment={"foreground": [names[first], names[second]]}))
    found = task.score(OneClass(first, len(names)))
    # The one class has IU its pixels over all, the other none.
    assert found["val/foreground_mean_iu"] == pytest.approx(pixels[first] / pixels.sum() / 2)
    assert found["val/mean_iu"] == pytest.approx(pixels[first] / pixels.sum() / (pixels > 0).sum())


def test_the_thesis_s_own_net_learns_by_its_own_recipe(data, tmp_path):
    settings = params(
        {"backbone": "alexnet", "reference": True, "strides": [32]},
        objective={"reduction": "sum", "balance": 0.0},
        optimiser="sgd",
        schedule="fixed",
        momentum=0.99,
        bias_rate=2.0,
        batch_size=1,
        accumulate=2,
        learning_rate=1e-14,
        weight_decay=5e-4,
        train_split="val",
    )
    task = fcn.make_task(PreparedData(data), settings)
    assert task.is_summed
    found = trained(data, tmp_path, settings)
    assert np.isfinite(found.history[-1]["train/loss"])
    # A sum over some seven thousand labelled pixels, ln 9 each as every score is zero at the start.
    assert found.history[-1]["train/loss"] == pytest.approx(TINY_TOWN.width * TINY_TOWN.height * np.log(9), rel=0.1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"background": "null", "heads": "both"}, "network.background null: found heads both, expected semantic"),
        ({"reference": True, "backbone": "vgg16", "inputs": "hha"}, "network.reference: found inputs hha"),
        ({"stream_scales": [1.0, 0.1]}, "network.stream_scales: found 2, expected 3, one a stride"),
    ],
)
def test_parts_that_do_not_go_together_are_named(network, message):
    with pytest.raises(ParamsError, match=message):
        fcn.build(params(network).network, 5)


def test_an_unknown_foreground_class_and_a_missing_layer_are_named(data):
    prepared = PreparedData(data)
    with pytest.raises(DataError, match="foreground: found class cat, expected one of: sky"):
        fcn.make_task(prepared, params(augment={"foreground": ["cat"]}))
    with pytest.raises(DataError, match="no split trian, expected one of: train, val, test"):
        prepared.split("train+trian")


def test_splits_that_are_joined_are_read_as_one(data):
    prepared = PreparedData(data)
    joined = prepared.split("train+val")
    assert len(joined) == len(prepared.split("train")) + len(prepared.split("val"))
    assert joined.rows == prepared.split("train").rows + prepared.split("val").rows
