"""A small guided model, exported: the backbone's own features, and a scorer of random weights."""

import json
from pathlib import Path

import torch

from components import export
from pixelwise.families.guided import family
from pixelwise.training.checkpoints import save_tensors


def write_guided(folder: Path) -> Path:
    """Train nothing, export all: the folder of its graphs."""
    torch.manual_seed(0)
    network = family.NetworkParams(weights="imagenet", hidden=8)
    (folder / "checkpoint").mkdir(parents=True)
    save_tensors(folder / "checkpoint/weights.safetensors", family.build(network, 2).state_dict())
    facts = {"family": "guided", "network": network.model_dump(mode="json"), "classes": ["background", "object"]}
    facts |= {"palette": [[0, 0, 0], [128, 0, 0]], "fingerprint": "a" * 64, "data": "d"}
    (folder / "checkpoint/model.json").write_text(json.dumps(facts))
    export.run(export.ExportParams(), folder / "checkpoint", folder)
    return folder
