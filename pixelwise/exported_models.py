"""Exported models: find them in a project, and tell one from another."""

from pathlib import Path

from pixelwise.identity import sha256_file, sha256_json
from pixelwise.model_folder import ModelFolder


def find_exported_models(project: Path) -> list[Path]:
    """The folders models/FAMILY in `project` that hold an exported model."""
    return sorted(folder for folder in project.glob("models/*") if ModelFolder(folder).graphs())


def identify(model: Path) -> str:
    """The hash that tells an exported `model`, a folder or an .onnx file, from others.

    It is that of its graph; of several graphs, one over the hashes of all, and of the calibrated values of schedules,
    which change what the graphs do. Raises ModelError if there is no graph.
    """
    folder = ModelFolder(model)
    files = [model] if model.is_file() else folder.graphs() or [folder.require_graph()]
    if folder.schedules.is_file():
        files.append(folder.schedules)
    hashes = {file.relative_to(model).as_posix(): sha256_file(file) for file in files}
    return hashes.popitem()[1] if len(hashes) == 1 else sha256_json(hashes)
