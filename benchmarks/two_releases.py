"""Make a registry with two versions of one model, to test a change of champion."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from pixelwise.inference.exported_models import identify
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.references import PREFIX
from pixelwise.registry.registration import add_version, hash_model_files
from pixelwise.registry.versions import CHAMPION, FILES_TAG, ONNX_TAG, move_alias
from pixelwise.tracking.store import connect

# An empty field of ONNX's ModelProto (domain, number 4). Appending it changes the file but not the graph.
NOTHING_MORE = b"\x22\x00"


@dataclass(frozen=True)
class Releases:
    """Two versions of `name` in `store`. The first is the champion."""

    store: str
    name: str
    versions: tuple[str, str]

    @property
    def reference(self) -> str:
        """Reference to the champion by its alias."""
        return f"{PREFIX}{self.name}@{CHAMPION}"

    def promote(self) -> None:
        """Make the second version the champion."""
        move_alias(connect(self.store), self.name, CHAMPION, self.versions[1])


def release_twice(model: Path, folder: Path, name: str = "load") -> Releases:
    """Register the graphs of the folder `model` twice, in a new registry in `folder`.

    Raises ModelError where `model` holds no graph.
    """
    identify(model)
    store = f"sqlite:///{folder}/mlflow.db"
    client = connect(store)
    versions = []
    for number in (1, 2):
        copy = ModelFolder(folder / str(number))
        shutil.copytree(ModelFolder(model).onnx, copy.onnx)
        with copy.graphs()[0].open("ab") as file:
            file.write(NOTHING_MORE * (number - 1))
        tags = {ONNX_TAG: identify(copy.root), FILES_TAG: json.dumps(hash_model_files(copy.root))}
        versions.append(add_version(client, name, copy.root, run_id=None, experiment=name, tags=tags))
    move_alias(client, name, CHAMPION, versions[0])
    return Releases(store, name, (versions[0], versions[1]))
