"""Corrective clicks: where the next one falls, what the net sees of it, and that every click is obeyed."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from support.object_sets import scene, write_coco_mval

from components import evaluate
from pixelwise.errors import ParamsError
from pixelwise.families.guided.click_net import STRIDES, ClickNet, compute_click_loss
from pixelwise.families.guided.click_task import choose_part
from pixelwise.families.guided.corrective_clicks import find_next_click
from pixelwise.families.guided.measure.clicks import ClickCurve, ClickTable, cut_out, follow_clicks
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.families.guided.runtime.click_disks import RADIUS, ObjectClick, draw_disks
from pixelwise.families.guided.runtime.click_model import ClickModel, View, choose_view, move_into_view
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.nets.backbones import Backbone
from pixelwise.params import parse

SIZE = (60, 80)


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[top:bottom, left:right] = 1
    return mask


@pytest.fixture
def session(guided_folder):
    return GuidedSession(GuidedModel(guided_folder, "cpu", 1))


def test_the_first_click_is_the_pixel_farthest_from_the_objects_edge():
    assert find_next_click(np.zeros(SIZE, bool), box(10, 20, 31, 41)) == ObjectClick(30, 20, is_object=True)


def test_the_next_click_is_in_the_largest_error_with_the_sign_of_what_is_there():
    truth = box(10, 10, 30, 30)
    small, large = box(10, 10, 30, 27) > 0, (truth | box(35, 40, 56, 61)) > 0
    assert find_next_click(small, truth).is_object
    assert find_next_click(large, truth) == ObjectClick(50, 45, is_object=False)
    assert find_next_click(truth > 0, truth) is None


def test_void_and_pixels_clicked_before_are_no_errors():
    truth = box(10, 20, 13, 23)
    first = find_next_click(np.zeros(SIZE, bool), truth)
    assert find_next_click(np.zeros(SIZE, bool), truth, [first]) != first
    assert find_next_click(truth > 0, np.where(truth == 1, 255, truth).astype(np.uint8)) is None


def test_disks_stand_around_their_clicks_on_the_plane_of_their_sign():
    disks = draw_disks([ObjectClick(30, 20, is_object=True), ObjectClick(70, 50, is_object=False)], *SIZE)
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    for plane, (x, y) in zip(disks, [(70, 50), (30, 20)], strict=True):
        assert plane[y, x + RADIUS] == plane[y, x] == 1
        distance = np.hypot(rows - y, columns - x)
        assert not plane[distance > RADIUS + 1].any()
        assert plane[distance < RADIUS - 1].all()


def test_the_view_is_the_whole_picture_until_a_mask_tells_where_the_object_is():
    click = ObjectClick(40, 30, is_object=True)
    assert choose_view((600, 800), [click], None) == View(0, 0, 800, 600)
    before = np.zeros((600, 800), np.float32)
    assert choose_view((600, 800), [click], before) == View(0, 0, 800, 600)
    before[100:200, 300:400] = 0.9
    near = ObjectClick(350, 150, is_object=True)
    assert choose_view((600, 800), [near], before) == View(280, 80, 140, 140)
    # The view grows to hold a click beside the mask, and never leaves the picture.
    far = choose_view((600, 800), [near, ObjectClick(500, 150, is_object=True)], before)
    assert far.left <= 300 < 500 < far.left + far.width
    before[:20, :20] = 0.9
    view = choose_view((600, 800), [near], before)
    assert view.left == view.top == 0


def test_a_click_keeps_its_place_in_a_view():
    view = View(280, 80, 140, 70)
    moved = move_into_view(ObjectClick(350, 115, is_object=True), view, 160, 320)
    assert moved == ObjectClick(161, 81, is_object=True)


def test_focal_weights_of_each_picture_have_mean_one():
    torch.manual_seed(0)
    logits, truth = torch.randn(2, 5, 6), torch.randint(0, 2, (2, 5, 6), dtype=torch.uint8)
    truth[:, 0] = 255
    errors = [
        torch.nn.functional.binary_cross_entropy_with_logits(one[1:], of[1:].float(), reduction="none")
        for one, of in zip(logits, truth, strict=True)
    ]
    weights = [(1 - torch.exp(-error)) ** 2 for error in errors]
    expected = sum((w / w.mean() * e).mean() for w, e in zip(weights, errors, strict=True)) / 2
    torch.testing.assert_close(compute_click_loss(logits, truth), expected)


def test_the_loss_of_a_perfect_mask_is_finite_and_small():
    truth = torch.ones(1, 4, 4, dtype=torch.uint8)
    assert compute_click_loss(torch.full((1, 4, 4), 40.0), truth).item() < 1e-6


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_convnext"])
@torch.inference_mode()
def test_the_net_hears_clicks_and_the_mask_before_and_shares_the_pictures_features(backbone):
    torch.manual_seed(0)
    net = ClickNet(Backbone(backbone, STRIDES, "none"), 8).eval()
    image = torch.randint(0, 256, (1, 97, 131, 3), dtype=torch.uint8)
    disks, before = torch.zeros(1, 2, 97, 131), torch.zeros(1, 97, 131)
    logits, seen = net(image, disks, before)
    assert logits.shape == (1, 97, 131)
    torch.testing.assert_close(net(image, disks, before, seen)[0], logits)
    disks[:, 1, 40:50, 60:70] = 1
    assert not torch.allclose(net(image, disks, before)[0], logits)
    assert not torch.allclose(net(image, disks * 0, before + 1)[0], logits)


def test_features_before_the_clicks_are_frozen_and_the_rest_learns():
    net = ClickNet(Backbone("test_efficientnet", STRIDES, "none"), 8).train()
    image = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8)
    net(image, torch.ones(2, 2, 64, 64), torch.zeros(2, 64, 64))[0].sum().backward()
    frozen = [value for layer in net.backbone.frozen for value in layer.parameters()]
    assert all(value.grad is None for value in frozen)
    assert net.annotations[0].weight.grad.abs().sum() > 0


def test_a_task_is_one_part_of_a_mask_or_all_of_it():
    truth = box(5, 5, 25, 25) | box(30, 40, 50, 70)
    found = {choose_part(truth, np.random.default_rng(seed)).sum() for seed in range(30)}
    assert found == {400, 600, 1000}


def test_every_click_is_obeyed_whatever_the_net_says(session):
    picture = session.add_picture(np.asarray(scene(3)))
    clicks = [(10, 12, 1), (50, 40, 0), (30, 20, 1), (31, 20, 0), (30, 21, 0), (5, 5, 1)]
    for count, (x, y, way) in enumerate(clicks, 1):
        session.click(picture, x, y, way)
        label = session.segment(picture)
        assert [label[row, column] for column, row, _ in clicks[:count]] == [of for *_, of in clicks[:count]]


def test_a_click_on_a_picture_that_is_reduced_is_obeyed_at_its_very_pixel(session):
    image = np.asarray(Image.fromarray(np.asarray(scene(3))).resize((1300, 980)))
    picture = session.add_picture(image)
    clicks = [(201, 203, 1), (1003, 641, 0), (204, 203, 0), (640, 777, 1)]
    for x, y, way in clicks:
        session.click(picture, x, y, way)
    label = session.segment(picture)
    assert label.shape == (980, 1300)
    assert [label[y, x] for x, y, _ in clicks] == [way for *_, way in clicks]


def test_undo_and_removal_bring_back_the_masks_before(session):
    picture, labels = session.add_picture(np.asarray(scene(3))), []
    for x, y, way in [(10, 12, 1), (50, 40, 0), (30, 20, 1)]:
        session.click(picture, x, y, way)
        labels.append(session.segment(picture))
    session.undo()
    np.testing.assert_array_equal(session.segment(picture), labels[1])
    session.click(picture, 30, 20, 1)
    session.remove_click(picture, 2)
    np.testing.assert_array_equal(session.segment(picture), labels[1])


def test_each_class_of_a_picture_has_its_own_mask_and_the_others_clicks_are_not_it(session):
    session.add_class("kite")
    picture = session.add_picture(np.asarray(scene(3)))
    session.click(picture, 12, 20, 1)
    session.click(picture, 50, 20, 2)
    label = session.segment(picture)
    assert (label[20, 12], label[20, 50]) == (1, 2)


def test_a_clicked_mask_guides_other_pictures_as_if_it_had_been_drawn(session):
    picture = session.add_picture(np.asarray(scene(3)))
    session.click(picture, 12, 20, 1)
    drawn = GuidedSession(session.model)
    drawn.annotate(drawn.add_picture(np.asarray(scene(3))), session.segment(picture))
    ours, theirs = session.guidance(), drawn.guidance()
    np.testing.assert_array_equal(ours.values, theirs.values)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-5, atol=1e-6)


def test_the_first_click_on_another_picture_corrects_what_guidance_made_of_it(session):
    first, second = (session.add_picture(np.asarray(scene(seed))) for seed in (3, 4))
    session.click(first, 12, 20, 1)
    before = session.segment(second)
    session.click(second, 60, 44, 0)
    np.testing.assert_array_equal(session.support(second).clicked.label, before)


def test_the_mask_before_is_what_the_net_gets_with_the_next_click(guided_folder):
    model = GuidedModel(guided_folder, "cpu", 1).clicks
    given = []

    class Noted(ClickModel):
        def run(self, image, disks, before):
            given.append((disks.copy(), before.copy()))
            return super().run(image, disks, before)

    noted, image = Noted(model.graph), np.asarray(scene(3))
    first = noted.segment(image, [ObjectClick(20, 20, is_object=True)], None)
    noted.segment(image, [ObjectClick(20, 20, is_object=True), ObjectClick(50, 40, is_object=False)], first)
    assert not given[0][1].any()
    assert given[1][1].any()
    assert given[1][0][0].any()


def test_the_fields_table_counts_clicks_to_a_goal_and_falls():
    iou = np.array([[0.5, 0.86, 0.84], [0.2, 0.3, 0.4]])
    table = ClickTable.of([ClickCurve(row, np.array([True, True, False])) for row in iou])
    found = table.metrics()
    assert found["iou_by_click"] == pytest.approx([0.35, 0.58, 0.62])
    assert (found["noc_80"], found["noc_85"], found["noc_90"]) == (2.5, 2.5, 3.0)
    assert (found["failed_85"], found["worse_by_click"]) == (0.5, 0.25)
    assert found["obeyed"] == pytest.approx(2 / 3)


def test_a_method_that_draws_the_truth_needs_one_click_and_one_that_draws_nothing_obeys_none():
    truth = box(10, 10, 30, 30)
    assert follow_clicks(lambda _: truth > 0, truth, 3).iou.tolist() == [1, 1, 1]
    nothing = follow_clicks(lambda _: np.zeros(SIZE, bool), truth, 3)
    assert (nothing.iou.tolist(), nothing.obeyed.tolist()) == ([0, 0, 0], [False] * 3)


def test_grabcut_finds_a_bright_square_from_one_click():
    image = np.random.default_rng(0).integers(0, 40, (*SIZE, 3), dtype=np.uint8)
    truth = box(20, 20, 45, 45)
    image[truth == 1] += 180
    assert follow_clicks(lambda click: cut_out(image, [], click), truth, 1).iou[0] > 0.9


def test_evaluate_gives_the_table_of_clicks_beside_grabcuts(guided_folder, tmp_path):
    root = write_coco_mval(tmp_path / "coco", ["bowl", "kite"] * 2)
    wanted = EvaluateParams(provider="cpu", clicks=3, tasks=3)
    report = evaluate.run(wanted, guided_folder, dataset="coco_mval", root=root, out=tmp_path)
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert len(found["iou_by_click"]) == len(found["grabcut"]["iou_by_click"]) == 3
    assert (found["objects"], found["clicks"], found["obeyed"]) == (3, 3, 1.0)
    assert (tmp_path / "clicks.png").read_bytes()[:4] == b"\x89PNG"
    assert "GrabCut" in str(report)


@pytest.mark.parametrize("wrong", [{"points": 3}, {"shots": 2}, {"finetune_steps": 1}])
def test_clicks_go_with_no_other_test(wrong):
    with pytest.raises(ParamsError, match="clicks: found"):
        parse(EvaluateParams, {"clicks": 5, **wrong}, "guided.evaluate")
