"""The origin of a training: parameters, data, code, library versions. The same origin gives the same net."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pixelwise.data.prepared import DATASET_FILE
from pixelwise.digest import make_digest
from pixelwise.families import list_hook_modules
from pixelwise.identity import compute_fingerprint, sha256_file, sha256_json
from pixelwise.model_folder import WEIGHTS_FILE


def origin(params: Any, family: str, data: Path, start: Path | None = None) -> dict[str, Any]:
    """The `parts` of a training's origin and the `fingerprint` over them.

    parameters: all, including the fingerprint of the model in the folder `start` that the training starts from. The
    path of its weights is left out: the same model elsewhere gives the same net. data: hash of dataset.json, which
    contains the manifest's hash. code and environment: see `training_parts`.
    """
    parameters = params.model_dump(mode="json")
    if start:
        parameters = replace_value(parameters, str(start / WEIGHTS_FILE), WEIGHTS_FILE)
    parts = {"parameters": parameters, "data": sha256_file(data / DATASET_FILE), **training_parts(family)}
    return {"fingerprint": compute_fingerprint({"family": family, **parts}), "parts": parts}


def replace_value(values: Any, old: str, new: str) -> Any:
    """`values` with each value `old` of its nested mappings replaced by `new`."""
    if isinstance(values, Mapping):
        return {key: replace_value(value, old, new) for key, value in values.items()}
    return new if values == old else values


@cache
def training_parts(family: str) -> dict[str, Any]:
    """The hash of a family's training `code`, and as `environment` the versions of the libraries that it imports.

    Cached, since running code does not change.
    """
    digest = make_digest("components.train", list_hook_modules(family))
    return {"code": sha256_json(digest.files), "environment": digest.versions}
