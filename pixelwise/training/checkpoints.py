"""Weights and training state on disk, as safetensors: no pickle is written or read."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from pixelwise.errors import ModelError
from pixelwise.files import write_atomically


def save_tensors(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any] | None = None) -> None:
    """Write `tensors` and JSON-able `facts` to one file, wholly or not at all. Raises OSError on a full disk."""
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with write_atomically(path) as temporary:
        try:
            save_file(plain, temporary, metadata={"facts": json.dumps(facts or {})})
        except SafetensorError as error:
            # Callers expect OSError for a full disk; safetensors wraps it in an error of its own.
            raise OSError(f"{path}: {error}") from None


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a file. Raises ModelError if the file is missing or is not safetensors."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 - no mapping
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file, expected safetensors weights") from None
    except SafetensorError as error:
        raise ModelError(f"{path}: not a safetensors file ({error})") from None


def load_weights(net: nn.Module, path: Path) -> None:
    """Load `path` into `net`. Raises ModelError naming the first key that does not fit."""
    tensors, _ = load_tensors(path)
    expected = net.state_dict()
    for name in sorted(set(expected) ^ set(tensors)):
        raise ModelError(f"{path}: {name}: {'missing' if name in expected else 'not in the net'}")
    for name, value in expected.items():
        if tensors[name].shape != value.shape:
            raise ModelError(f"{path}: {name}: found {tuple(tensors[name].shape)}, expected {tuple(value.shape)}")
    net.load_state_dict(tensors)


def flatten_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimiser flattened to `index.name` -> tensor."""
    states = optimiser.state_dict()["state"]
    return {f"{index}.{name}": value for index, state in states.items() for name, value in state.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Load the state that `flatten_optimiser` returned into `optimiser`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
