"""The FCN family: what its parameters build, learn and ship, on a small town."""

import numpy as np
import pytest
import torch

from components import export, ingest, train
from components.datasets.prepared import PreparedData
from components.datasets.town import TownParams
from components.errors import DataError, ParamsError
from components.export import ExportParams, load_trained
from components.families import fcn
from components.learning.objectives import pixel_loss
from components.measures.confusion import ConfusionMatrix
from components.runtime.session import open_model

TOWN = TownParams(train_clips=4, val_clips=1, test_clips=1, frames=3, width=96, height=64)
WHOLE = {"whole": True, "mirror": False, "colour": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    out = tmp_path_factory.mktemp("town") / "prepared"
    ingest.run(ingest.IngestParams(dataset="town", town=TOWN), out)
    return out


def params(network=None, augment=None, objective=None, **changes) -> fcn.TrainParams:
    base = {"epochs": 1, "batch_size": 4, "warmup_steps": 0, "validate_every": 1, "loader_threads": 1, "device": "cpu"}
    return fcn.TrainParams.model_validate(
        base
        | {"network": {"weights": "none", **(network or {})}, "augment": {**WHOLE, **(augment or {})}}
        | {"objective": objective or {}}
        | changes
    )


def trained(data, folder, settings: fcn.TrainParams):
    return train.run(settings, "fcn", data, folder / "checkpoint", folder / "state", "none")


def batch_of(task, count=2):
    samples = [task.sample(0, 0, index) for index in range(count)]
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


@pytest.mark.parametrize("inputs", ["rgbd", pytest.param("rgb-hha", marks=pytest.mark.slow)])
def test_a_net_that_sees_depth_trains_ships_and_is_evaluated_with_it(data, tmp_path, inputs):
    found = trained(data, tmp_path, params({"inputs": inputs, "strides": [32]}, learning_rate=3e-3))
    assert np.isfinite(found.history[-1]["train/loss"])
    exported = export.run(ExportParams(), tmp_path / "checkpoint", tmp_path)
    assert exported.parity >= 0.999
    segmenter = open_model(tmp_path, "cpu")
    assert segmenter.inputs == fcn.INPUTS[inputs]
    split = PreparedData(data).split("val").with_layers(*segmenter.inputs[1:])
    counts = ConfusionMatrix(len(split.classes))
    for sample in split:
        layers = {name: layer[None] for name, layer in sample.layers.items()}
        counts.add(sample.label, segmenter.predict(sample.image[None], **layers)[0])
    assert counts.scores().mean_iu == pytest.approx(found.history[-1]["val/mean_iu"], abs=2e-3)


def test_two_heads_learn_from_the_sum_of_their_losses_and_ship_two_maps(data, tmp_path):
    settings = params({"heads": "both", "strides": [32], "dropout": 0.0})
    prepared = PreparedData(data)
    torch.manual_seed(0)
    net = fcn.build(settings.network, len(prepared.classes)).eval()
    for parameter in net.fusion.parameters():
        torch.nn.init.normal_(parameter, std=0.01)
    joint = fcn.task_of(prepared, settings)
    batch = batch_of(joint)
    total = joint.loss(net, batch)
    parts = joint.split_heads(net(batch["image"].permute(0, 3, 1, 2).float()))
    weights = joint.weights
    semantic = pixel_loss(parts["semantic"], batch["label"], weights=weights)
    geometry = pixel_loss(parts["geometry"], batch["geometry"])
    learned = list(net.parameters())
    gradients = [torch.autograd.grad(loss, learned, retain_graph=True) for loss in (total, semantic, geometry)]
    for whole, first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, first + second, rtol=1e-4, atol=1e-6)
    found = trained(data, tmp_path, settings)
    assert 0 <= found.history[-1]["val/geometry_accuracy"] <= 1
    (graph,) = export.graphs_of(*load_trained(tmp_path / "checkpoint"))
    assert list(graph.outputs) == ["prediction", "geometry"]


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
    found = trained(data, tmp_path, params(staged=True, staged_drop=0.5, learning_rate=0.01))
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
    task = fcn.task_of(prepared, hidden)
    maps = task.maps(task.val, 0)
    assert len(np.unique(maps["image"][(maps["label"] > 0) & (maps["label"] != 255)].reshape(-1, 3), axis=0)) == 1
    assert fcn.rescore(net, prepared, hidden) != plain


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
    task = fcn.task_of(PreparedData(data), settings)
    assert task.is_summed
    found = trained(data, tmp_path, settings)
    assert np.isfinite(found.history[-1]["train/loss"])
    # A sum over some six thousand labelled pixels, ln 9 each as every score is zero at the start.
    assert found.history[-1]["train/loss"] == pytest.approx(96 * 64 * np.log(9), rel=0.1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"background": "null", "heads": "both"}, "network.background null: found heads both, expected semantic"),
        ({"reference": True, "backbone": "vgg16", "inputs": "hha"}, "network.reference: found inputs hha"),
        ({"stream_scales": [1.0, 0.1]}, "network.stream_scales: found 2, expected 3, one a stride"),
        ({"backbone": "alexnet", "inputs": "rgbd"}, "network.inputs rgbd: found backbone alexnet"),
    ],
)
def test_parts_that_do_not_go_together_are_named(network, message):
    with pytest.raises(ParamsError, match=message):
        fcn.build(params(network).network, 5)


def test_an_unknown_foreground_class_and_a_missing_layer_are_named(data):
    prepared = PreparedData(data)
    with pytest.raises(DataError, match="foreground: found class cat, expected one of: sky"):
        fcn.task_of(prepared, params(augment={"foreground": ["cat"]}))
    with pytest.raises(DataError, match="no split trian, expected one of: train, val, test"):
        prepared.split("train+trian")


def test_splits_that_are_joined_are_read_as_one(data):
    prepared = PreparedData(data)
    joined = prepared.split("train+val")
    assert len(joined) == len(prepared.split("train")) + len(prepared.split("val"))
    assert joined.rows == prepared.split("train").rows + prepared.split("val").rows
