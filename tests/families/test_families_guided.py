"""The guided family: what its episodes show, what it learns and ships, and how it is scored, on squares in noise."""

import json

import numpy as np
import pytest
import torch
from object_worlds import write_coco_mval, write_davis, write_together

from components import export, ingest, train
from components.datasets.prepared import PreparedData
from components.errors import DataError
from components.families import guided
from components.guiding import evaluation
from components.guiding.evaluation import GuidedEvaluateParams
from components.networks.guided import GuidedNet

SMALL = {"epochs": 1, "batch_size": 4, "warmup_steps": 0, "validate_every": 1, "loader_threads": 1, "device": "cpu"}
CROP = {"crop_width": 64, "crop_height": 48}


def params(**values) -> guided.TrainParams:
    network = {"weights": "none", "hidden": 8}
    return guided.TrainParams.model_validate(
        {**SMALL, "network": network, "augment": CROP, "val_episodes": 3, **values}
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    root = write_together(folder / "raw", {"train": ["a"], "val": ["b"]}, ["couch", "kite", "couch", "kite"], "aabcdef")
    ingest.run(ingest.IngestParams(dataset="guided", root=root), folder / "prepared")
    return folder / "prepared"


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("guided")
    made = train.run(params(), "guided", data, out / "checkpoint", out / "state", "none")
    assert np.isfinite([made.history[-1][name] for name in ("train/loss", "val/foreground_background")]).all()
    assert export.run(export.ExportParams(), out / "checkpoint", out).parity >= 0.999
    return out


def test_four_graphs_ship(model):
    assert {file.stem for file in model.glob("*.onnx")} == {"encode", "guide", "segment", "foreground"}


def test_episodes_never_show_a_class_held_out_but_as_void(data):
    task = guided.task_of(PreparedData(data), params(held_out=["kite"], same=0.0, across=1.0, two_tasks=1.0))
    kite = task.train.split.classes.names.index("kite")
    assert kite in {value for row in task.train.split.rows for value in range(1, kite + 1) if row["pixels"][value]}
    for masks in (task.train, task.val):
        assert kite not in {mask.value for mask in masks}
        assert all(kite not in masks.read(mask)[1] for mask in masks)


def test_a_training_without_a_class_that_exists_is_refused(data):
    with pytest.raises(DataError, match="held_out: found class unicorn"):
        guided.task_of(PreparedData(data), params(held_out=["unicorn"]))


def test_foreground_sees_no_guidance_and_does_not_bend_what_is_matched():
    torch.manual_seed(0)
    net = guided.build(guided.NetworkParams(weights="none", hidden=8), 2)
    assert isinstance(net, GuidedNet)
    picture = torch.randint(0, 256, (2, 48, 64, 3), dtype=torch.uint8)
    said, hint = torch.zeros(2, 2, 48, 64), torch.zeros(2, 2, 2, 6, 8)
    other = said.clone()
    other[:, 1, 8:24, 8:24] = 1
    net.eval()
    floors = [net(picture, each, picture, hint)[-1] for each in (said, other)]
    torch.testing.assert_close(floors[0], floors[1])
    floors[0].sum().backward()
    assert all(gain.grad is None for gain in net.gain)


@pytest.mark.parametrize(("shots", "points"), [(1, 0), (2, 3)])
def test_evaluate_gives_positive_iu_beside_that_of_foreground_background(model, tmp_path, shots, points):
    root = write_coco_mval(tmp_path / "coco", ["bowl", "kite"] * 3)
    wanted = GuidedEvaluateParams(provider="cpu", shots=shots, points=points, tasks=4)
    evaluation.run(wanted, model, dataset="coco_mval", root=root, json=tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text())
    assert 0 <= found["positive_iu"] <= 1
    assert 0 <= found["foreground_background"]["positive_iu"] <= 1
    assert set(found["per_category"]) == {"bowl", "kite"}
    assert (found["tasks"], found["shots"], found["points"]) == (4, shots, points or None)


def test_more_shots_than_pictures_are_refused(model, tmp_path):
    root = write_coco_mval(tmp_path, ["bowl", "kite"] * 2)
    with pytest.raises(DataError, match="bowl: found 1 other pictures, expected 3"):
        evaluation.run(GuidedEvaluateParams(provider="cpu", shots=3), model, dataset="coco_mval", root=root)


@pytest.mark.parametrize("points", [0, 5])
def test_evaluate_gives_the_j_of_every_sequence_and_the_speed(model, tmp_path, points):
    root = write_davis(tmp_path / "davis", {"val": {"dog": 3, "swan": 4}})
    wanted = GuidedEvaluateParams(provider="cpu", points=points)
    evaluation.run(wanted, model, dataset="davis", root=root, json=tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text())
    assert set(found["per_sequence"]) == {"dog", "swan"}
    assert found["mean_j"] == pytest.approx(np.mean(list(found["per_sequence"].values())))
    assert found["frames_per_second"] > 0
