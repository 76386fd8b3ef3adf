"""Find the family of an exported model, which the metadata of its graphs names."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise import command, families
from pixelwise.errors import ModelError
from pixelwise.inference.metadata import read_metadata
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.references import resolve_model_folder


def find_family(model: Path) -> str:
    """The family of an exported `model`, a folder or an .onnx file.

    Raises ModelError if there is no graph, or if its metadata names no known family.
    """
    folder = ModelFolder(model)
    graph = model if model.suffix == ".onnx" else next(iter(folder.graphs()), None) or folder.require_graph()
    family = read_metadata(graph).get("family")
    if family not in families.names():
        found = f"family {family!r}" if family else "no family"
        raise ModelError(f"{graph}: found {found} in its metadata, expected one of {', '.join(families.names())}")
    return family


def find_family_on_command_line(argv: Sequence[str] | None) -> str:
    """The family that a command line names. It is needed before parsing, since it decides which options exist.

    Taken from `--section FAMILY.…`, else from `--name` in the registry, else from `--model`; DEFAULT if none is given,
    as with --help. Raises the errors of `find_family` and `resolve_model_folder`.
    """
    for option in ("section", "name"):
        family = command.read_option(option, argv, default="").partition(".")[0]
        if family in families.names():
            return family
    model = command.read_option("model", argv, default="")
    return find_family(resolve_model_folder(Path(model))) if model else families.DEFAULT
