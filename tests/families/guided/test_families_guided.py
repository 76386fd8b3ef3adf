"""The guided family: what its episodes show, what it learns and ships, and how it is scored, on squares in noise."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from support.bright_model import write_onnx
from support.guided_model import guided_params, ship_guided
from support.object_sets import scene, square, write_coco_mval, write_davis

from components import evaluate
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.families.guided import family as guided
from pixelwise.families.guided import finetuning
from pixelwise.families.guided.episodes import annotate
from pixelwise.families.guided.measure import categories, video
from pixelwise.families.guided.net import GuidedNet
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.families.guided.runtime import early, guided_model
from pixelwise.families.guided.runtime.guidance import merge
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.inference import session as inference
from pixelwise.metrics.measurement import read_measurements
from pixelwise.params import parse


@pytest.fixture(scope="module")
def data(guided_folder):
    return guided_folder / "prepared"


@pytest.fixture(scope="module")
def model(guided_folder):
    return guided_folder


@pytest.mark.covers("export", "guided")
def test_five_graphs_ship(model):
    assert {file.stem for file in model.glob("onnx/*.onnx")} == {"encode", "guide", "segment", "foreground", "click"}


@pytest.mark.covers("train", "guided")
def test_a_training_ends_with_a_loss_and_a_score(model):
    last = json.loads((model / "checkpoint/history.json").read_text())[-1]
    assert np.isfinite([last["train/loss"], last["val/foreground_background"]]).all()


def test_episodes_never_show_a_class_held_out_but_as_void(data):
    task = guided.make_task(
        PreparedData(data),
        guided_params(held_out=["kite"], same_image_share=0.0, other_image_share=1.0, two_task_share=1.0),
    )
    kite = task.train.split.classes.names.index("kite")
    assert kite in {value for row in task.train.split.rows for value in range(1, kite + 1) if row["pixels"][value]}
    for masks in (task.train, task.val):
        assert kite not in {mask.value for mask in masks}
        assert all(kite not in masks.read(mask)[1] for mask in masks)


def test_a_training_without_a_class_that_exists_is_refused(data):
    with pytest.raises(DataError, match="held_out: found class unicorn"):
        guided.make_task(PreparedData(data), guided_params(held_out=["unicorn"]))


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
@pytest.mark.covers("evaluate", "guided")
def test_evaluate_gives_positive_iu_beside_that_of_foreground_background(model, tmp_path, shots, points):
    root = write_coco_mval(tmp_path / "coco", ["bowl", "kite"] * 3)
    wanted = EvaluateParams(provider="cpu", shots=shots, points=points, tasks=4)
    evaluate.run(wanted, model, dataset="coco_mval", root=root, out=tmp_path, json=tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text())
    (judged,) = read_measurements(tmp_path / "measurements.npz")
    assert (judged.name, judged.extent, judged.score) == ("positive IU", "4 tasks", pytest.approx(found["positive_iu"]))
    assert judged.ids[0].startswith("bowl in ")
    assert judged.ids[0].endswith(("1 shot, dense masks, seed 0", "2 shots, 3 points, seed 0"))
    assert judged.labelled.tolist() == [24 * 24] * 4
    assert 0 <= found["positive_iu"] <= 1
    assert 0 <= found["foreground_background"]["positive_iu"] <= 1
    assert set(found["per_category"]) == {"bowl", "kite"}
    assert (found["tasks"], found["shots"], found["points"]) == (4, shots, points or None)


def test_more_shots_than_pictures_are_refused(model, tmp_path):
    root = write_coco_mval(tmp_path, ["bowl", "kite"] * 2)
    with pytest.raises(DataError, match="bowl: found 1 other pictures, expected 3"):
        evaluate.run(EvaluateParams(provider="cpu", shots=3), model, dataset="coco_mval", root=root)


@pytest.mark.parametrize("points", [0, 5])
def test_evaluate_gives_the_j_of_every_sequence_and_the_speed(model, tmp_path, points):
    root = write_davis(tmp_path / "davis", {"val": {"dog": 3, "swan": 4}})
    wanted = EvaluateParams(provider="cpu", points=points)
    evaluate.run(wanted, model, dataset="davis", root=root, out=tmp_path, json=tmp_path / "scores.json")
    found = json.loads((tmp_path / "scores.json").read_text())
    (judged,) = read_measurements(tmp_path / "measurements.npz")
    assert (judged.name, judged.extent, judged.score) == ("J", "2 sequences", pytest.approx(found["mean_j"]))
    assert judged.ids[0] == f"dog, 1 annotated, {points or 'dense'}, seed 0"
    assert judged.labelled.tolist() == [24 * 24, 2 * 24 * 24]
    assert set(found["per_sequence"]) == {"dog", "swan"}
    assert found["mean_j"] == pytest.approx(np.mean(list(found["per_sequence"].values())))
    assert found["frames_per_second"] > 0


def test_fine_tuning_learns_the_support_and_leaves_the_trained_net_alone(model, tmp_path):
    root = write_coco_mval(tmp_path / "coco", ["bowl", "kite"] * 2)
    wanted = EvaluateParams(provider="cpu", tasks=2, finetune_steps=1)
    found = evaluate.run(wanted, model, dataset="coco_mval", root=root).metrics()
    assert 0 <= found["fine_tuned"]["positive_iu"] <= 1
    image, truth = np.asarray(scene(3)), (np.asarray(square(1)) > 0).astype(np.uint8)
    guided, tuning = GuidedModel(model, "cpu"), finetuning.FineTuning(model / "checkpoint", 10, "cpu")
    told = (guided.encode(image), annotate(truth))
    before = {name: value.clone() for name, value in tuning.net.state_dict().items()}
    nets = (tuning.net, tuning.tune([told]))
    losses = [finetuning.compute_support_loss(finetuning.compute_logits(net, told[0]), told[1]).item() for net in nets]
    assert losses[1] < losses[0]
    assert all(torch.equal(value, before[name]) for name, value in tuning.net.state_dict().items())


def test_fine_tuning_of_a_model_without_its_training_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"model\.json: no such file, expected a folder that `pixelwise train` wrote"):
        finetuning.FineTuning(tmp_path, 1)


def test_points_in_the_very_picture_are_interactive_segmentation(model, tmp_path):
    root = write_coco_mval(tmp_path / "coco", ["bowl", "kite"] * 2)
    wanted = EvaluateParams(provider="cpu", interactive=True, points=3, tasks=4)
    found = evaluate.run(wanted, model, dataset="coco_mval", root=root).metrics()
    assert (found["tasks"], found["shots"], found["points"]) == (4, 1, 3)
    assert set(found["per_category"]) == {"bowl", "kite"}


@pytest.mark.parametrize("wrong", [{"points": 0}, {"points": 3, "shots": 2}, {"points": 3, "finetune_steps": 1}])
def test_interactive_segmentation_has_points_and_one_picture(wrong):
    with pytest.raises(ParamsError, match="interactive: found points"):
        parse(EvaluateParams, {"interactive": True, **wrong}, "guided.evaluate")


def test_frames_that_are_annotated_are_spread_over_the_clip_from_its_first():
    assert [video.choose_frames(10, shots) for shots in (1, 2, 5, 20)] == [
        [0],
        [0, 5],
        [0, 2, 4, 6, 8],
        list(range(10)),
    ]


def test_dots_on_several_frames_guide_a_clip(model, tmp_path, monkeypatch):
    root, told = write_davis(tmp_path / "davis", {"val": {"dog": 4}}), []
    annotated = video.annotate_frame
    monkeypatch.setattr(video, "annotate_frame", lambda *given: told.append(annotated(*given)) or told[-1])
    evaluate.run(EvaluateParams(provider="cpu", points=3, shots=2), model, dataset="davis", root=root)
    assert [annotation.sum(axis=(1, 2)).tolist() for _, annotation in told] == [[3, 3]] * 2


def test_objects_of_davis_2017_are_told_apart_each_with_a_score(model, tmp_path):
    root = write_davis(tmp_path, {"val": {"dogs": 3, "swan": 4}}, year="2017", objects=2)
    wanted = EvaluateParams(provider="cpu", separate_objects=True)
    found = evaluate.run(wanted, model, dataset="davis", root=root).metrics()
    assert set(found["per_sequence"]) == {"dogs/1", "dogs/2", "swan/1", "swan/2"}
    assert found["mean_j"] == pytest.approx(np.mean(list(found["per_sequence"].values())))


def test_a_clip_whose_first_frame_has_no_object_is_named(model, tmp_path):
    root = write_davis(tmp_path, {"val": {"dog": 3}})
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(root / "Annotations/240p/dog/00000.png")
    with pytest.raises(DataError, match="dog/00000: found no object"):
        evaluate.run(EvaluateParams(provider="cpu"), model, dataset="davis", root=root)


@pytest.mark.parametrize(
    "guide",
    [
        "early",
        pytest.param("late-local", marks=pytest.mark.slow),
        pytest.param("masking", marks=pytest.mark.slow),
        pytest.param("late-global", marks=pytest.mark.slow),
    ],
)
@pytest.mark.covers("train", "guided")
@pytest.mark.covers("export", "guided")
@pytest.mark.covers("evaluate", "guided")
def test_every_guide_is_trained_exported_and_scored_by_its_own_graphs(guide, tmp_path, monkeypatch):
    ship_guided(tmp_path, guide)
    ran = set()
    run = inference.run_graph

    def note(graph, names, inputs):
        ran.add(frozenset(inputs))
        return run(graph, names, inputs)

    for module in (guided_model, early, categories):
        monkeypatch.setattr(module, "run_graph", note)
    few, data = {"provider": "cpu", "tasks": 3}, {"dataset": "coco_mval", "root": tmp_path / "coco"}
    write_coco_mval(data["root"], ["bowl", "kite"] * 2)
    dense = evaluate.run(EvaluateParams(**few), tmp_path, **data).metrics()
    clicked = evaluate.run(EvaluateParams(**few, interactive=True, points=3), tmp_path, **data).metrics()
    assert dense["tasks"] == clicked["tasks"] == 3
    wanted = {"early": ["image", "annotation"], "masking": ["image", "annotation"]}
    assert any(set(wanted.get(guide, ["embedding", "hint", "values"])) <= inputs for inputs in ran)
    assert any("places" in inputs for inputs in ran) == (guide == "late-local")
    if guide in wanted:
        with pytest.raises(ModelError, match="expected a late"):
            GuidedModel(tmp_path)
    else:
        model, picture = GuidedModel(tmp_path, "cpu"), np.array(scene(0))
        features = model.encode(picture)
        shots = [model.guide(features, annotate((np.array(square(1, left)) > 0).astype(np.uint8))) for left in (8, 24)]
        first, second = (model.segment(features, merge([shot])) for shot in shots)
        assert np.abs(first - second).max() > 1e-5


@pytest.mark.parametrize("ignored", [{"interactive": True, "points": 3}, {"finetune_steps": 2}])
def test_what_cannot_be_done_with_clips_is_refused(model, tmp_path, ignored):
    root = write_davis(tmp_path, {"val": {"dog": 3}})
    with pytest.raises(ParamsError, match=r"^guided\.evaluate: found interactive .* expected neither for clips"):
        evaluate.run(EvaluateParams(provider="cpu", **ignored), model, dataset="davis", root=root)


def test_clips_are_not_tracked_by_a_guide_of_early_fusion(tmp_path):
    root = write_davis(tmp_path, {"val": {"dog": 3}})
    (tmp_path / "onnx").mkdir()
    for name in ("fused", "support", "query"):
        write_onnx(tmp_path / f"onnx/{name}.onnx", 100, family="guided")
    with pytest.raises(ModelError, match="found a guide by early fusion, expected a late one"):
        evaluate.run(EvaluateParams(provider="cpu"), tmp_path, dataset="davis", root=root)
