"""Apply a recipe to params.yaml: reset the values in the file to the defaults, then set the recipe's values."""

import io
import re
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml

from pixelwise import command
from pixelwise.documents import read_text, read_yaml
from pixelwise.errors import DataError, ParamsError
from pixelwise.files import write_text
from pixelwise.params import PARAMS_FILE, Params, find_value, flatten, make_defaults, merge, parse
from pixelwise.registry.names import SECTION as REGISTRY
from pixelwise.tools.params import format_value
from pixelwise.tools.sections import RECIPES, find_nested_class, find_params_class, split_sections

GENERATED = "town"
# Marks the comment of a line that a recipe added. The next `use` removes such lines.
ADDED = "recipe: "
# A key with its comment, followed by one list item per line; items must have no comment and no nested lines.
LIST = re.compile(r"^(( *)[^\s#:-][^:\n]*): *(#[^\n]*)?\n((?:\2 *- [^\n#]*\n)++)(?!\2 +\S|\2- )", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """One changed value, in the file or by default."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        """Format the change: `fcn.train.epochs: 8 → 30`."""
        return f"{self.key}: {format_value(self.old)} → {format_value(self.new)}"


@dataclass(frozen=True)
class UseReport:
    """The values that `use` changed."""

    file: Path
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        """List the changes and the next command."""
        if not self.changes:
            return f"{self.file}: nothing to change\nnext: make pipeline"
        lines = [f"  {change}" for change in self.changes]
        return "\n".join([f"{self.file}: {len(lines)} changed", *lines, "next: make pipeline, or dvc repro"])


def run(
    recipe: Annotated[
        Sequence[Path], "recipes, such as recipes/camvid-cpu.yaml; a later recipe overrides an earlier one"
    ],
    root: Annotated[Path | None, "folder of your data; sets ingest.root"] = None,
    params_file: Annotated[Path, "parameters file to change"] = PARAMS_FILE,
) -> UseReport:
    """Reset params.yaml to the defaults, apply a recipe, and point ingest at your data. Comments stay.

    A key that the file does not have is added with its meaning, and removed when you use another recipe. Values that
    you edited are reset too, except `registry`. recipes/town-cpu.yaml sets only the generated town.

    Raises ParamsError naming the first bad key, and DataError where the data is missing; then the file is not written.
    """
    content = read_yaml(params_file, "the pipeline's parameters", error=ParamsError)
    # The prefix of the models' names is the project's, whatever the recipe.
    layers = {str(params_file): {REGISTRY: content[REGISTRY] or {}}} if REGISTRY in content else {}
    layers |= {str(file): read_yaml(file, "a recipe", error=ParamsError) for file in recipe}
    if root is not None:
        layers["--root"] = {"ingest": {"root": str(root)}}
    values = merge(*(read_sections(layer, source) for source, layer in layers.items()))
    require_data(values.get("ingest", {}), source=", ".join(map(str, recipe)))
    text = read_text(params_file)
    document = load(remove_added(join_lists(text)), params_file)
    document[RECIPES] = to_yaml([str(file) for file in recipe])
    changes: list[Change] = []
    for section, section_values in split_sections(content, str(params_file)).items():
        if section_values or section in values:
            changes += set_section(document, section, section_values, values.pop(section, {}), params_file)
    if values:
        raise ParamsError(f"{params_file}: section {next(iter(values))}: not found, but the recipe sets it")
    if (new := dump(document)) != text:
        write_text(params_file, new)
    return UseReport(params_file, tuple(changes))


def set_section(
    document: MutableMapping[str, Any], section: str, current: Mapping[str, Any], values: Mapping[str, Any], file: Path
) -> list[Change]:
    """Set one section of the `document` to its defaults with `values` over them; return the changes against `current`.

    Raises ParamsError where the section of the `file` has a bad key or value.
    """
    model = find_params_class(section, str(file))
    parse(model, current, f"{file}: {section}")
    old, new = (merge(make_defaults(model), layer) for layer in (current, values))
    *parents, name = section.split(".")
    node: Any = document
    for parent in parents:
        node = node[parent]
    node[name] = set_values(node[name], new, values, model)
    return list_changes(section, old, new)


def list_changes(section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """List the keys of a section whose values differ. old, new: all values of the section."""
    pairs = {key: (value, find_value(new, key)) for key, value in flatten(old).items()}
    return [
        Change(f"{section}.{key}", old_value, new_value)
        for key, (old_value, new_value) in pairs.items()
        if old_value != new_value
    ]


def set_values(node: Any, values: Mapping[str, Any], from_recipe: Mapping[str, Any], model: type[Params]) -> Any:
    """Set the keys of `node` to their `values`; add the keys `from_recipe` that `node` lacks, with their meaning."""
    from ruamel.yaml.comments import CommentedMap

    # A nested section is None where a recipe had added all of its keys.
    node = CommentedMap() if node is None else node
    for key in node:
        if nested := find_nested_class(model, key):
            node[key] = set_values(node[key], values[key], from_recipe.get(key, {}), nested)
        elif node[key] != values[key]:
            node[key] = to_yaml(values[key])
    for index, key in enumerate([key for key in from_recipe if key not in node]):
        nested, meaning = find_nested_class(model, key), model.model_fields[key].description
        value = set_values(None, values[key], from_recipe[key], nested) if nested else to_yaml(from_recipe[key])
        node.fa.set_block_style()
        # Inserted first, since ruamel.yaml stores the comments after a mapping with its last key.
        node.insert(index, key, value, comment=f"{ADDED}{meaning or nested.__doc__}")
    return node


def remove_added(text: str) -> str:
    """Remove the lines that a recipe added."""
    return "".join(line for line in text.splitlines(keepends=True) if f"# {ADDED}" not in line)


def join_lists(text: str) -> str:
    """Put every list of plain values on one line, since `dvc exp run -S` writes one item per line."""

    def join(match: re.Match[str]) -> str:
        key, _, comment, items = match.groups(default="")
        return f"{key}: {format_value(yaml.safe_load(items))}  {comment}".rstrip() + "\n"

    return LIST.sub(join, text)


def read_sections(recipe: Mapping[str, Any], source: str) -> dict[str, dict[str, Any]]:
    """Read a recipe's values by section. Raises ParamsError naming the `source` and its first bad key or value."""
    sections = split_sections(recipe, source)
    for section, values in sections.items():
        model = find_params_class(section, source)
        parse(model, merge(make_defaults(model), values), f"{source}: {section}")
    return sections


def require_data(values: Mapping[str, Any], source: str) -> None:
    """Raise DataError where the data that a section `ingest` names does not exist; the town needs none."""
    ingest = merge(make_defaults(find_params_class("ingest", source)), values)
    dataset, root = ingest["dataset"], ingest["root"]
    if root is None and dataset != GENERATED:
        raise DataError(f"{source}: ingest.root: not set, expected the folder of {dataset}: give --root PATH")
    if root is not None and not Path(root).exists():
        raise DataError(f"{source}: ingest.root {root}: no such folder, expected your data: give --root PATH")


def to_yaml(value: Any) -> Any:
    """Convert a value for writing: lists and mappings go on one line."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if not isinstance(value, Mapping | Sequence) or isinstance(value, str):
        return value
    node = CommentedMap(value) if isinstance(value, Mapping) else CommentedSeq(value)
    node.fa.set_flow_style()
    return node


def load(text: str, file: Path) -> MutableMapping[str, Any]:
    """Parse the YAML `text` of a `file` with its comments. Raises ParamsError on bad YAML, such as a repeated key."""
    from ruamel.yaml.error import YAMLError

    try:
        document: MutableMapping[str, Any] = make_editor().load(text)
    except YAMLError as error:
        raise ParamsError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    return document


def dump(params: Mapping[str, Any]) -> str:
    """Write `params` as YAML text with its comments, each two spaces after its value."""
    text = io.StringIO()
    make_editor().dump(params, text)
    return re.sub(r"^([^#\n]*[^#\s]) +# ", r"\1  # ", text.getvalue(), flags=re.MULTILINE)


def make_editor() -> Any:
    """Make a YAML reader and writer that preserves quotes, comments and layout."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise use` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
