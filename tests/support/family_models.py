"""Exported models of each family on small data, made from those that a test run exports once."""

import json
import shutil
from pathlib import Path

import onnx

from pixelwise.identity import sha256_file
from pixelwise.model_folder import ModelFolder


def stamp(model: Path, graph: str, **metadata: str) -> None:
    """Change the metadata of one graph of a model, and nothing that it computes: it is another model then."""
    folder = ModelFolder(model)
    proto = onnx.load(folder.graph(graph))
    known = {entry.key: entry.value for entry in proto.metadata_props}
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, known | metadata)
    # Written anew: a copy made by linking must not change the original.
    folder.graph(graph).unlink()
    onnx.save(proto, folder.graph(graph))
    exported = json.loads(folder.export.read_text())
    exported["graphs"][graph]["sha256"] = sha256_file(folder.graph(graph))
    folder.export.write_text(json.dumps(exported))


def copy_model(model: Path, folder: Path) -> Path:
    """The graphs, the report of the export and the checkpoint of an exported model, in `folder`."""
    for name in ("onnx", "checkpoint"):
        shutil.copytree(model / name, folder / name)
    shutil.copy(model / "export.json", folder)
    return folder


def copy_plain_net(clockwork: Path, folder: Path, family: str) -> Path:
    """The FCN that a clockwork was cut from, as a model of another family with one graph."""
    copy_model(clockwork, folder)
    for graph in ModelFolder(folder).graphs():
        if graph != ModelFolder(folder).graph():
            graph.unlink()
    stamp(folder, "model", family=family)
    return folder
