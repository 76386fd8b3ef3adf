"""The composition family: what its parameters build, learn, draw and ship, on a small town."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.tiny_nets import TINY_BACKBONE

from components import export, train
from components.export import ExportParams
from pixelwise.errors import ModelError
from pixelwise.families.composition import family as composition
from pixelwise.families.trained import load_trained
from pixelwise.training.checkpoints import load_tensors, save_tensors

SMALL = {"epochs": 2, "batch_size": 2, "warmup_steps": 0, "validate_every": 1, "loader_threads": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


def params(compose, **network):
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
