"""Other nets in stages than the default: the thesis's own with pad 100 and crops, and one that enlarges its picture."""

from functools import partial

import numpy as np
import pytest
import torch
from support.clockwork_model import CLASSES, moving, write_clockwork
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.families.clockwork.measure.expected_loss import expected_counts, odds_of
from pixelwise.families.clockwork.net import Clockwork
from pixelwise.families.clockwork.runtime.clockwork_engine import FEATURES, fused, open_staged, run_stage
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.families.clockwork.runtime.motion import Motion
from pixelwise.families.clockwork.runtime.staged_execution import run_part
from pixelwise.families.clockwork.runtime.stream_grids import SCORES, Grid, read_grids
from pixelwise.families.fcn.net import FCN
from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.families.fcn.trunks import TRUNKS, vgg16
from pixelwise.nets.backbones import Backbone

# Of a size that no stride divides.
FRAMES = moving(4, step=8, size=(97, 131))


def reference(monkeypatch) -> ReferenceFCN:
    """FCN-8s over a VGG16 of few channels."""
    monkeypatch.setitem(TRUNKS, "thin", partial(vgg16, widths=(4, 4, 6, 6, 8), hidden=10))
    net = ReferenceFCN("thin", len(CLASSES), (32, 16, 8))
    with torch.no_grad():
        for layer in net.score.values():
            nn.init.normal_(layer.weight)
        centre_scores(net)
    return net


def enlarged(monkeypatch) -> FCN:
    """FCN-8s over a small backbone, which sees the picture 1.5 times as large."""
    net = FCN(Backbone("test_efficientnet", (8, 16, 32), "none"), len(CLASSES), scale=1.5)
    with torch.no_grad():
        for layer in net.fusion.score:
            nn.init.normal_(layer.weight)
        centre_scores(net)
    return net


def centre_scores(net) -> None:
    """Let no stream and no class of an untrained net drown the others."""
    net.eval()
    x = net.prepared(torch.from_numpy(np.stack(FRAMES)).permute(0, 3, 1, 2).float())
    layers = list(net.score.values() if isinstance(net, ReferenceFCN) else net.fusion.score)
    for place, piece in enumerate(net.split_by_stride()):
        x = piece(x)
        layer = layers[len(layers) - 1 - place]
        scores = layer(x)
        layer.weight.div_(scores.std(dim=(0, 2, 3)).view(-1, 1, 1, 1))
        layer.bias.copy_(-layer(x).mean(dim=(0, 2, 3)))


@pytest.fixture(scope="module", params=[reference, enlarged], ids=lambda make: make.__name__)
def model(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        net = Clockwork(request.param(patch), (8, 16)).eval()
    return open_staged(write_clockwork(tmp_path_factory.mktemp(request.param.__name__) / "model", net), "cpu")


def predicted(model, schedule):
    engine = open_engine(model, schedule)
    return [engine.step(frame).prediction for frame in FRAMES]


def test_always_on_equals_the_plain_net_to_the_bit(model):
    plain = [model.plain.predict(frame[None])[0] for frame in FRAMES]
    assert len(np.unique(plain)) == len(CLASSES)
    assert np.array_equal(predicted(model, "always,always,always"), plain)


def test_a_net_that_ends_early_is_the_net_with_zeros_for_its_later_streams(model):
    (first, *others) = model.stages
    streams = run_stage(first, FRAMES[0][None])
    states, given = [streams], streams[FEATURES]
    for stage in others:
        found = run_stage(stage, given)
        given = found.get(FEATURES, given)
        states.append({name: np.zeros_like(maps) for name, maps in found.items() if name != FEATURES})
    assert np.array_equal(fused(model, [streams]), fused(model, states))
    assert len(predicted(model, "truncated:1")) == len(FRAMES)


def test_scores_move_with_what_they_score(model):
    """The window moves by 8 pixels a frame: what is carried agrees with what the net says, above all where it lies."""
    where = model.grids[SCORES]
    then, now = (fused(model, run_part(model.stages, frame[None])) for frame in FRAMES[1:3])
    motion = Motion(FRAMES[1])
    motion.follow(FRAMES[2])
    rows, columns = inside(where, then.shape[2:], FRAMES[0].shape[:2])

    def error(maps) -> float:
        return float(np.abs(maps - now)[..., rows, columns].mean())

    moved = motion.maps(then, where)
    assert error(moved) < 0.8 * error(then)
    assert error(moved) < error(motion.maps(then, where._replace(step=where.step * 2)))


def test_each_cell_is_asked_of_the_pixel_that_it_looks_at(model):
    odds = odds_of(model, FRAMES[0])
    counts = expected_counts(odds, model.plain.predict(FRAMES[0][None])[0], model.grids[SCORES])
    assert np.trace(counts) / counts.sum() > 0.5
    inside_pixels = inside(model.grids[SCORES], odds.shape[1:], FRAMES[0].shape[:2])
    cells = np.prod([len(range(*part.indices(side))) for part, side in zip(inside_pixels, odds.shape[1:], strict=True)])
    assert counts.sum() == pytest.approx(cells, rel=1e-5)


def inside(where, sides, size) -> list[slice]:
    """The rows and columns of cells that look at a pixel of the picture."""
    places = [np.rint(where.pixels(np.arange(side))) for side in sides]
    kept = [np.flatnonzero((place >= 0) & (place < side)) for place, side in zip(places, size, strict=True)]
    return [slice(part[0], part[-1] + 1) for part in kept]


def test_a_graph_of_an_older_export_says_that_its_grids_are_missing():
    assert read_grids({"grids": '{"scores": [8.0, 3.5]}'}, "fuse.onnx")["scores"] == Grid(8, 3.5)
    with pytest.raises(ModelError, match=r"fuse\.onnx: says no grids of its maps, expected a clockwork exported by"):
        read_grids({}, "fuse.onnx")
