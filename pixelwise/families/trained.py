"""Load a trained model from its folder: the description in model.json, and the net with its weights."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from pixelwise.errors import ModelError
from pixelwise.families import find
from pixelwise.families.graph import Graph
from pixelwise.model_folder import MODEL_FILE, WEIGHTS_FILE
from pixelwise.params import Params, parse
from pixelwise.training.checkpoints import load_weights


def read_description(model: Path) -> dict[str, Any]:
    """Read model.json in the folder `model`. Raises ModelError if it is missing or not JSON."""
    try:
        described: dict[str, Any] = json.loads((model / MODEL_FILE).read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(
            f"{model / MODEL_FILE}: no such file, expected a folder that `pixelwise train` wrote"
        ) from None
    except ValueError as error:
        raise ModelError(f"{model / MODEL_FILE}: not JSON: {error}") from None
    return described


def load_trained(model: Path) -> tuple[dict[str, Any], nn.Module]:
    """Load the content of model.json, and the net with its weights in evaluation mode."""
    described = read_description(model)
    net = find(described["family"]).build(parse_network(described), len(described["classes"]), pretrained=False)
    load_weights(net, model / WEIGHTS_FILE)
    return described, net.eval()


def list_graphs(described: Mapping[str, Any], net: nn.Module) -> Sequence[Graph]:
    """The graphs to export from `net`, which model.json describes."""
    kind: Any = find(described["family"])
    given = [net, parse_network(described), len(described["classes"])]
    # Not every family fits a temperature, and models of earlier versions have none.
    temperature = described.get("temperature")
    graphs: Sequence[Graph] = kind.graphs(*given, *([] if temperature is None else [temperature]))
    return graphs


def parse_network(described: Mapping[str, Any]) -> Params:
    """The parameters of the net that model.json describes."""
    return parse(find(described["family"]).NetworkParams, described["network"], f"{MODEL_FILE}: network")
