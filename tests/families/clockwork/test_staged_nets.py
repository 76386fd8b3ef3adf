"""Other nets in stages than the default: the thesis's own with pad 100 and crops, and one that enlarges its picture."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from support.clockwork_model import as_batch, moving
from support.tiny_nets import TINY_BACKBONE, spread_scores

from components.export import ExportParams
from pixelwise.errors import ModelError
from pixelwise.export.graph_file import convert
from pixelwise.families.clockwork import family
from pixelwise.families.clockwork.measure.expected_loss import compute_odds, count_expected
from pixelwise.families.clockwork.net import Clockwork
from pixelwise.families.clockwork.runtime.clockwork_engine import FEATURES, fuse_streams, open_staged, run_stage
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.families.clockwork.runtime.motion import Motion
from pixelwise.families.clockwork.runtime.staged_execution import run_part
from pixelwise.families.clockwork.runtime.stream_grids import SCORES, Grid, read_grids
from pixelwise.families.fcn import family as fcn
from pixelwise.families.fcn.net import FCN
from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.families.fcn.trunks import TRUNKS, build_vgg16
from pixelwise.nets.backbones import Backbone

CLASSES = ("road", "car", "sky")
# Of a size that no stride divides.
FRAMES = moving(4, step=8, size=(97, 131))


def reference(monkeypatch) -> ReferenceFCN:
    """FCN-8s over a VGG16 of few channels."""
    monkeypatch.setitem(TRUNKS, "thin", partial(build_vgg16, widths=(4, 4, 6, 6, 8), hidden=10))
    net = ReferenceFCN("thin", len(CLASSES), (32, 16, 8))
    spread_scores(net, as_batch(FRAMES))
    return net


def enlarged(monkeypatch) -> FCN:
    """FCN-8s without its coarsest stream, with the recipes' top-down path, on pictures 1.5 times as large."""
    net = FCN(Backbone(TINY_BACKBONE, (8, 16), "none"), len(CLASSES), width=8, scale=1.5)
    spread_scores(net, as_batch(FRAMES))
    return net


def write_graphs(folder: Path, net: Clockwork) -> Path:
    """The graphs of `net` as export writes them, without the comparison with torch."""
    facts = {"family": "clockwork", "fingerprint": "c" * 64, "data": "d" * 64, "classes": json.dumps(CLASSES)}
    facts |= {"palette": json.dumps([(128, 64, 128), (64, 0, 128), (128, 128, 128)])}
    (folder / "onnx").mkdir(parents=True)
    params = family.NetworkParams(fcn=fcn.NetworkParams(weights="none").model_dump(mode="json"), trained="f" * 64)
    for name, graph in convert(family.graphs(net, params, len(CLASSES)), facts, ExportParams().opset).items():
        onnx.save(graph, folder / f"onnx/{name}.onnx")
    return folder


@pytest.fixture(scope="module", params=[reference, enlarged], ids=lambda make: make.__name__)
def model(request, shared):
    with pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        net = request.param(patch)
        net = Clockwork(net, net.strides[:-1]).eval()
    folder = shared.folder(f"staged_{request.param.__name__}", lambda folder: write_graphs(folder, net))
    return open_staged(folder, "cpu")


def predicted(model, schedule):
    engine = open_engine(model, schedule)
    return [engine.step(frame).prediction for frame in FRAMES]


def test_always_on_equals_the_plain_net_to_the_bit(model):
    plain = [model.plain.predict(frame[None])[0] for frame in FRAMES]
    assert len(np.unique(plain)) == len(CLASSES)
    assert np.array_equal(predicted(model, ",".join(["always"] * len(model.stages))), plain)


def test_a_net_that_ends_early_is_the_net_with_zeros_for_its_later_streams(model):
    (first, *others) = model.stages
    streams = run_stage(first, FRAMES[0][None])
    states, given = [streams], streams[FEATURES]
    for stage in others:
        found = run_stage(stage, given)
        given = found.get(FEATURES, given)
        states.append({name: np.zeros_like(maps) for name, maps in found.items() if name != FEATURES})
    assert np.array_equal(fuse_streams(model, [streams]), fuse_streams(model, states))
    assert len(predicted(model, "truncated:1")) == len(FRAMES)


def test_scores_move_with_what_they_score(model):
    """The window moves by 8 pixels a frame: what is carried agrees with what the net says, above all where it lies."""
    where = model.grids[SCORES]
    then, now = (fuse_streams(model, run_part(model.stages, frame[None])) for frame in FRAMES[1:3])
    motion = Motion(FRAMES[1])
    motion.follow(FRAMES[2])
    rows, columns = inside(where, then.shape[2:], FRAMES[0].shape[:2])

    def error(maps) -> float:
        return float(np.abs(maps - now)[..., rows, columns].mean())

    moved = motion.maps(then, where)
    assert error(moved) < 0.8 * error(then)
    assert error(moved) < error(motion.maps(then, where._replace(step=where.step * 2)))


def test_each_cell_is_asked_of_the_pixel_that_it_looks_at(model):
    odds = compute_odds(model, FRAMES[0])
    counts = count_expected(odds, model.plain.predict(FRAMES[0][None])[0], model.grids[SCORES])
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
