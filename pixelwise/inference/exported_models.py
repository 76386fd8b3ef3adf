"""Exported models: find them in a project, tell one from another, and check that their files belong together."""

import json
from contextlib import suppress
from pathlib import Path

from pixelwise.errors import ModelError
from pixelwise.identity import sha256_file, sha256_json
from pixelwise.inference.metadata import read_metadata
from pixelwise.model_folder import UNDECODED, ModelFolder


def find_exported_models(project: Path) -> list[Path]:
    """The folders models/FAMILY in `project` that hold an exported model."""
    return sorted(folder for folder in project.glob("models/*") if ModelFolder(folder).graphs())


def identify(model: Path) -> str:
    """The hash that tells an exported `model`, a folder or an .onnx file, from others.

    It is that of its graph; of several graphs, one over the hashes of all, of the calibrated values of schedules and of
    the int8 graph that schedules run. Raises ModelError if there is no graph.
    """
    folder = ModelFolder(model)
    files = [model] if model.is_file() else folder.graphs() or [folder.require_graph()]
    files += [file for file in (folder.schedules, ModelFolder(folder.int8).graph(UNDECODED)) if file.is_file()]
    hashes = {file.relative_to(model).as_posix(): sha256_file(file) for file in files}
    return hashes.popitem()[1] if len(hashes) == 1 else sha256_json(hashes)


def require_one_training(model: Path) -> None:
    """Raise ModelError where the graphs, export.json and the checkpoint in the folder `model` are of several trainings.

    A step that ran alone leaves the results of the steps after it as they were: their scores would be recorded as those
    of the new weights. Only what is there is compared: a served model has no checkpoint.
    """
    folder = ModelFolder(model)
    found = {file: read_metadata(file).get("fingerprint", "none") for file in folder.graphs()}
    for file in (folder.export, folder.run):
        # Whoever needs the content of a damaged file reports it.
        with suppress(OSError, ValueError, AttributeError):
            found[file] = str(json.loads(file.read_text(encoding="utf-8")).get("fingerprint", "none"))
    first, expected = next(iter(found.items()), (model, ""))
    for file, fingerprint in found.items():
        if fingerprint != expected:
            raise ModelError(
                f"{file}: found fingerprint {fingerprint[:12]}, expected {expected[:12]} of {first}: they are of "
                f"different trainings; export the model again"
            )
