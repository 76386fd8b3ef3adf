"""The composition family: what its parameters build, learn, draw and ship, on a small town."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_nets import TINY_BACKBONE

from components import benchmark, export, quantize, train
from components.benchmark import BenchmarkParams
from components.export import ExportParams
from components.quantize import QuantizeParams
from pixelwise.errors import ModelError, ParamsError
from pixelwise.families.composition import family as composition
from pixelwise.families.fcn import family as fcn
from pixelwise.families.trained import load_trained, read_description
from pixelwise.training.checkpoints import load_tensors, save_tensors

SMALL = {"epochs": 2, "batch_size": 2, "warmup_steps": 0, "validate_every": 1, "loader_threads": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


def params(compose, **network):
    compose = {"where": ["output", "decoder"], "filter": "resample", "first_size": 0.5, **compose}
    return composition.TrainParams.model_validate(
        {
            **SMALL,
            "network": {"backbone": TINY_BACKBONE, "weights": "none", "strides": [8], "compose": compose, **network},
            "augment": {"crop_width": 64, "crop_height": 64},
        }
    )


@pytest.mark.parametrize(
    ("compose", "drawn"),
    [
        ({"filter": "resample", "covariance": "full"}, {"covariances.png"}),
        pytest.param({"filter": "dog-resample", "std_devs": 3.0}, {"covariances.png"}, marks=pytest.mark.slow),
        ({"filter": "dynamic", "covariance": "full"}, {"covariances.png", "scales.png"}),
        pytest.param({"filter": "scales"}, {"scales.png"}, marks=pytest.mark.slow),
        pytest.param({"filter": "aspp-blur"}, set(), marks=pytest.mark.slow),
    ],
)
@pytest.mark.covers("train", "composition")
@pytest.mark.covers("export", "composition")
@pytest.mark.covers("quantize", "composition")
@pytest.mark.covers("benchmark", "composition")
def test_a_composition_trains_draws_and_ships_the_same_at_odd_sizes(data, tmp_path, compose, drawn):
    made = train.run(params(compose), "composition", data, tmp_path / "checkpoint", tmp_path / "state", "none")
    assert np.isfinite(made.history[-1]["train/loss"])
    pictures = {path.name for path in (tmp_path / "checkpoint").glob("*.png")}
    assert pictures == drawn
    for name in pictures:
        Image.open(tmp_path / "checkpoint" / name).verify()

    # Scores as they come: those of two epochs may call all pixels one class.
    file = tmp_path / "checkpoint" / "weights.safetensors"
    torch.manual_seed(0)
    state = load_tensors(file)[0]
    lively = {key: torch.randn_like(value) if ".score.weight" in key else value for key, value in state.items()}
    save_tensors(file, lively)
    net = load_trained(tmp_path / "checkpoint")[1]
    assert len(net(255 * torch.rand(1, 3, 64, 96)).argmax(dim=1).unique()) > 1
    assert export.run(ExportParams(), tmp_path / "checkpoint", tmp_path).parity >= 0.999

    small = quantize.run(QuantizeParams(calibration_images=2, repeats=1), tmp_path, data, tmp_path / "int8")
    assert (tmp_path / "int8/onnx/model.onnx").exists() is (not small.reasons)

    timing = BenchmarkParams(width=64, height=48, batch_size=1, warmup=1, repeats=2)
    engines = benchmark.run(timing, tmp_path, tmp_path / "benchmark").report()["engines"]
    layers = {name for name, engine in engines.items() if engine["compared_with"] == "torch eager"}
    # OpenVINO lacks the operator of a dynamic filter.
    others = {"onnx int8", "openvino", "openvino int8"}
    assert {"onnx", "torch eager"} == set(engines) - layers - others
    assert bool(layers) == (compose["filter"] in ("dynamic", "scales"))
    assert all(engines[name]["median_milliseconds"] > 0 for name in layers)


@pytest.mark.slow
def test_a_backbone_dilated_by_its_name_ships_the_same_at_odd_sizes(data, tmp_path):
    dilated = params({"filter": "dynamic"}, backbone="resnet34@8", strides=[8])
    train.run(dilated, "composition", data, tmp_path / "checkpoint", tmp_path / "state", "none")
    assert export.run(ExportParams(), tmp_path / "checkpoint", tmp_path).parity >= 0.999


def test_the_size_that_is_learned_is_told_in_pixels(data, tmp_path):
    settings = params({"filter": "blur", "first_size": 1.0}, scale=1.0)
    made = train.run(settings, "composition", data, tmp_path / "checkpoint", tmp_path / "state", "none")
    assert made.history[-1]["val/gaussian_pixels"] == pytest.approx(8.0, rel=0.2)


def test_structure_alone_learns_in_a_trained_net_of_the_fcn(data, tmp_path):
    plain = params({"filter": "none"})
    train.run(plain, "composition", data, tmp_path / "plain", tmp_path / "state", "none")
    weights = tmp_path / "plain" / "weights.safetensors"
    compose = {"filter": "blur", "where": ["fusion.score.*"], "structure_only": True}
    tuned = params(compose, weights=str(weights))
    train.run(tuned, "composition", data, tmp_path / "tuned", tmp_path / "state", "none")
    before, after = (load_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("plain", "tuned"))
    assert set(after) - {key.replace("score.0.", "score.0.conv.") for key in before} == {
        "fusion.score.0.gaussian.covariance"
    }
    for name, values in before.items():
        assert torch.equal(after[name.replace("score.0.", "score.0.conv.")], values)


def test_a_file_of_another_net_is_named(data, tmp_path):
    save_tensors(tmp_path / "weights.safetensors", {"other": torch.zeros(1)})
    with pytest.raises(ModelError, match="found the layer other"):
        composition.build(params({}, weights=str(tmp_path / "weights.safetensors")).network, 4)


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory):
    """The checkpoint of a small FCN, whose scores are random: those that training begins with are all zero."""
    folder = tmp_path_factory.mktemp("fcn")
    network = {"backbone": TINY_BACKBONE, "weights": "none", "strides": [8, 16], "width": 8}
    settings = fcn.TrainParams.model_validate(
        {**SMALL, "epochs": 1, "network": network, "augment": {"crop_width": 64, "crop_height": 64}}
    )
    train.run(settings, "fcn", data, folder, folder / "state", "none")
    state = load_tensors(folder / "weights.safetensors")[0]
    torch.manual_seed(0)
    lively = {key: torch.randn_like(value) if ".score." in key else value for key, value in state.items()}
    save_tensors(folder / "weights.safetensors", lively)
    return folder


def start_from(plain, compose, **network):
    settings = composition.TrainParams.model_validate({"network": {"compose": compose, **network}})
    return composition.start_from(settings, read_description(plain), plain)


@pytest.mark.parametrize(
    "compose", [{"filter": "blur", "where": ["*score.*"]}, {"filter": "resample", "where": ["decoder"]}]
)
@torch.inference_mode()
def test_a_composition_of_no_extent_starts_as_the_trained_fcn(plain, compose):
    _, trained = load_trained(plain)
    network = start_from(plain, {**compose, "first_size": 1e-6}).network
    net = composition.build(network, len(read_description(plain)["classes"])).eval()
    image = 255 * torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    expected = trained(image)
    torch.testing.assert_close(net(image), expected, rtol=0, atol=1e-3 * float(expected.abs().max()))
    wide = composition.build(start_from(plain, {**compose, "first_size": 1.0}).network, expected.shape[1]).eval()
    assert not torch.allclose(wide(image), expected, atol=0.1)


def test_a_composition_takes_the_net_of_its_start_and_refuses_another(plain, data, tmp_path):
    network = start_from(plain, {}).network
    assert (network.width, network.strides, network.backbone) == (8, (8, 16), TINY_BACKBONE)
    assert network.trained == read_description(plain)["fingerprint"]
    with pytest.raises(ParamsError, match=r"network\.width: found 16, expected 8 as in .*; leave the key out"):
        start_from(plain, {}, width=16)
    with pytest.raises(ModelError, match="of family clockwork, expected fcn"):
        composition.start_from(composition.TrainParams(), {**read_description(plain), "family": "clockwork"}, plain)


def test_the_record_of_a_started_training_holds_that_of_its_start(plain, data, tmp_path):
    settings = params({"filter": "blur", "where": ["fusion.score.*"]}).model_copy(
        update={"epochs": 1, "network": composition.NetworkParams(compose={"filter": "none"})}
    )
    train.run(settings, "composition", data, tmp_path / "out", tmp_path / "state", "none", start=plain)
    recorded = json.loads((tmp_path / "out/run.json").read_text())
    assert recorded["start"] == {"family": "fcn", **json.loads((plain / "run.json").read_text())}
    assert recorded["parts"]["parameters"]["network"]["trained"] == recorded["start"]["fingerprint"]
