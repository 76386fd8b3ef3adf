"""Weights on disk: whole, exact, and refused in one line where they do not fit."""

import pytest
import torch
from torch import nn

from pixelwise.errors import ModelError
from pixelwise.training import checkpoints
from pixelwise.training.checkpoints import (
    flatten_optimiser,
    load_tensors,
    load_weights,
    restore_optimiser,
    save_tensors,
)
from pixelwise.training.optimisers import make_adamw


def small_net(seed: int = 0, width: int = 4) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))


def learn(net: nn.Module, optimiser: torch.optim.Optimizer, steps: int, seed: int = 0) -> None:
    torch.manual_seed(seed)
    for _ in range(steps):
        optimiser.zero_grad()
        net(torch.randn(2, 3, 8, 8)).square().sum().backward()
        optimiser.step()


def test_tensors_and_facts_come_back_exactly(tmp_path):
    tensors = {
        "float": torch.randn(3, 4),
        "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "counter": torch.tensor(7),
        "half": torch.randn(5).bfloat16(),
    }
    facts = {"epoch": 3, "best": float("-inf"), "history": [{"loss": 0.1}]}
    save_tensors(tmp_path / "new" / "a.safetensors", tensors, facts)
    found, found_facts = load_tensors(tmp_path / "new" / "a.safetensors")
    assert found_facts == facts
    assert found.keys() == tensors.keys()
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)


def test_the_same_tensors_make_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_tensors(tmp_path / name, small_net().state_dict())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_come_back_into_a_net(tmp_path):
    trained, fresh = small_net(0), small_net(1)
    save_tensors(tmp_path / "w", trained.state_dict())
    load_weights(fresh, tmp_path / "w")
    assert all(
        torch.equal(a, b) for a, b in zip(trained.state_dict().values(), fresh.state_dict().values(), strict=True)
    )


def test_an_optimiser_put_back_goes_on_to_the_same_weights(tmp_path):
    nets, optimisers = [], []
    for _ in range(2):
        nets.append(small_net())
        optimisers.append(make_adamw(nets[-1], 0.01, 0.1))
    learn(nets[0], optimisers[0], steps=3)
    save_tensors(tmp_path / "o", flatten_optimiser(optimisers[0]))
    nets[1].load_state_dict(nets[0].state_dict())
    restore_optimiser(optimisers[1], load_tensors(tmp_path / "o")[0])
    for net, optimiser in zip(nets, optimisers, strict=True):
        learn(net, optimiser, steps=2, seed=9)
    assert all(torch.equal(a, b) for a, b in zip(*(net.parameters() for net in nets), strict=True))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda file: file.unlink(), "no such file"),
        (lambda file: file.write_bytes(file.read_bytes()[:-10]), "not a safetensors file"),
        (lambda file: file.write_bytes(file.read_bytes()[:20]), "not a safetensors file"),
        (lambda file: file.write_bytes(b""), "not a safetensors file"),
        (lambda file: file.write_bytes(b"PK\x03\x04" * 100), "not a safetensors file"),
        (
            lambda file: save_tensors(file, small_net(width=5).state_dict()),
            r"0\.weight: found \(5, 3, 3, 3\), expected \(4, 3, 3, 3\)",
        ),
        (lambda file: save_tensors(file, small_net()[:1].state_dict()), r"1\.bias: missing"),
        (lambda file: save_tensors(file, {**small_net().state_dict(), "x": torch.zeros(1)}), "x: not in the net"),
    ],
    ids=["missing", "truncated", "cut in its header", "empty", "another kind", "another shape", "too few", "too many"],
)
def test_weights_that_do_not_fit_are_refused_in_one_line_that_names_the_file(tmp_path, spoil, words):
    file, net = tmp_path / "weights.safetensors", small_net()
    save_tensors(file, net.state_dict())
    spoil(file)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(ModelError, match=words) as raised:
        load_weights(net, file)
    assert str(file) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    file = tmp_path / "weights.safetensors"
    save_tensors(file, small_net().state_dict())
    before = file.read_bytes()

    def full_disk(tensors, path, metadata):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full_disk)
    with pytest.raises(OSError, match="No space left"):
        save_tensors(file, small_net(1).state_dict())
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]
