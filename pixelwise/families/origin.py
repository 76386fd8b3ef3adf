"""What a training is made from. With the same origin it gives the same net, so a result tells its own."""

from functools import cache
from pathlib import Path
from typing import Any

from pixelwise.data.prepared import DATASET_FILE
from pixelwise.digest import digest_of
from pixelwise.families import hooks_by_name
from pixelwise.identity import fingerprint, sha256_file, sha256_json


def origin(params: Any, family: str, data: Path) -> dict[str, Any]:
    """The `parts` that a training is made from, and the `fingerprint` over them.

    parameters: in full, with the fingerprint of the model that the training starts from. data: hash of dataset.json,
    which has the manifest's. code and environment: as `training_parts` says.
    """
    parameters = params.model_dump(mode="json")
    parts = {"parameters": parameters, "data": sha256_file(data / DATASET_FILE), **training_parts(family)}
    return {"fingerprint": fingerprint({"family": family, **parts}), "parts": parts}


@cache
def training_parts(family: str) -> dict[str, Any]:
    """What trains a family: the hash of the `code`, and as `environment` the versions of the libraries behind it.

    Read once, as running code does not change.
    """
    digest = digest_of("components.train", hooks_by_name(family))
    return {"code": sha256_json(digest.files), "environment": digest.versions}
