"""Which family an exported model is of: its graphs say so themselves."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise import command, families
from pixelwise.errors import ModelError
from pixelwise.inference.metadata import read_metadata
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.references import resolve_model_folder


def family_of(model: Path) -> str:
    """The family of an exported `model`, a folder or an .onnx file.

    Raises ModelError where there is no graph, or none that `pixelwise export` wrote.
    """
    folder = ModelFolder(model)
    graph = model if model.suffix == ".onnx" else next(iter(folder.graphs()), None) or folder.require_graph()
    family = read_metadata(graph).get("family")
    if family not in families.names():
        found = f"family {family!r}" if family else "no family"
        raise ModelError(f"{graph}: found {found} in its metadata, expected one of {', '.join(families.names())}")
    return family


def family_on(argv: Sequence[str] | None) -> str:
    """The family on a command line that cannot be parsed as a whole yet, since the family has options of its own.

    That of `--section FAMILY.…`, else that of the model; DEFAULT where neither is given, as with --help. Raises as
    `family_of`.
    """
    section = command.value_of("section", argv, default="").partition(".")[0]
    if section in families.names():
        return section
    model = command.value_of("model", argv, default="")
    return family_of(resolve_model_folder(Path(model))) if model else families.DEFAULT
