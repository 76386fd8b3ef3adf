"""Backbones that reduce by tiles (VGG, ConvNeXt): what lies on a pixel belongs to the cell of its tile."""

import shutil

import numpy as np
import onnx
import pytest
import torch

from pixelwise.families.guided.annotations import spread
from pixelwise.families.guided.family import GUIDES, build, graphs
from pixelwise.families.guided.net import upsample_cells
from pixelwise.families.guided.params import NetworkParams
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.nets.backbones import Backbone, find_offsets

STRIDES = (4, 8, 16, 32)
TILED = "test_convnext"
# Of tiles of 4 and 8 pixels, 24 by 32 and 12 by 16; the last row and columns fill none.
SIZE, CELLS = (97, 131), (12, 16)


def net_of(guide: str) -> torch.nn.Module:
    torch.manual_seed(0)
    network = NetworkParams(guide=guide, backbone=TILED, weights="none", frozen_stride=0, hidden=8)
    return build(network, 2).eval()


@pytest.mark.parametrize("name", ["vgg11", TILED, "test_efficientnet"])
def test_the_offsets_of_a_backbone_are_found_without_building_its_weights(name):
    torch.manual_seed(0)
    state = torch.get_rng_state()
    found = find_offsets(name, STRIDES)
    assert torch.equal(torch.get_rng_state(), state)
    assert found == ([0.0] * 4 if name == "test_efficientnet" else [1.5, 3.5, 7.5, 15.5])
    assert Backbone(name, STRIDES, "none").offsets == found


@torch.inference_mode()
def test_every_pixel_of_a_tile_guides_by_its_cell_and_the_rest_by_the_last():
    net = net_of("late")
    embedding = net.encode(torch.rand(1, 3, *SIZE) * 255).embedding
    assert embedding.shape[1:3] == CELLS
    for y, x in [(16, 24), (23, 31), (16, 31), (20, 27), (96, 130)]:
        annotation = torch.zeros(1, 1, *SIZE)
        annotation[0, 0, y, x] = 1
        values = net.guide(embedding, annotation).values.view(CELLS)
        expected = (min(y // 8, 11), min(x // 8, 15))
        assert np.unravel_index(int(values.argmax()), CELLS) == expected
        mean = net.guide(embedding, annotation).mean[0, 0]
        nearest = (embedding[0] - mean).norm(dim=-1).argmin()
        assert np.unravel_index(int(nearest), CELLS) == expected


@torch.inference_mode()
def test_a_cell_is_enlarged_around_the_middle_of_its_tile_from_any_stride():
    net = net_of("late")
    cell = torch.zeros(1, 1, 3, 4)
    cell[..., 1, 2] = 1
    # From stride 32 to 8: the four cells of its tile weigh most, and alike on both sides.
    offset = (net.backbone.offsets[3] - net.backbone.offsets[1]) / 8
    line = upsample_cells(cell, 4, torch.Size(CELLS), offset)[0, :, 10, 0]
    torch.testing.assert_close(line, line[:12].flip(0))
    assert line.argsort(descending=True)[:2].sort().values.tolist() == [5, 6]
    # From stride 4 to pixels.
    pixels = net.enlarge(cell, (12, 16))[0, 0]
    torch.testing.assert_close(pixels[:, 8:12], pixels.flip(0)[:, 8:12])
    assert pixels[5, 9] == pixels.max()


@pytest.mark.parametrize("guide", GUIDES)
@torch.inference_mode()
def test_every_guide_takes_pictures_that_no_tile_divides(guide):
    net, picture = net_of(guide), torch.randint(0, 256, (1, *SIZE, 3), dtype=torch.uint8)
    annotation = (torch.rand(1, 2, *SIZE) < 0.01).float()
    assert net(picture, annotation, picture, torch.zeros(1, 2, 2, 13, 17))[0].shape == (1, 2, *SIZE)


def test_the_graphs_say_where_their_cells_lie_and_clicks_fall_into_them(guided_folder, tmp_path):
    network = NetworkParams(backbone=TILED, weights="none", hidden=8)
    facts = graphs(build(network, 2), network, 2)[0].facts
    shutil.copytree(guided_folder / "onnx", tmp_path / "onnx", ignore=shutil.ignore_patterns("click.onnx"))
    encode = onnx.load(tmp_path / "onnx/encode.onnx")
    told = {entry.key: entry.value for entry in encode.metadata_props}
    onnx.helper.set_model_props(encode, told | facts)
    onnx.save(encode, tmp_path / "onnx/encode.onnx")
    session = GuidedSession(GuidedModel(tmp_path, "cpu", 1))
    session.add_picture(np.zeros((96, 128, 3), np.uint8))
    session.click(0, x=31, y=23)
    cells = session.cells(session.support(0))[1]
    assert np.unravel_index(cells.argmax(), cells.shape) == (2, 3)
    annotation = torch.zeros(1, 1, 96, 128)
    annotation[..., 23, 31] = 1
    np.testing.assert_allclose(cells, spread(annotation, cells.shape, 3.5)[0, 0], atol=1e-6)
