"""Show every parameter: its value, where the value comes from, and what it means."""

import math
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml

from pixelwise import command
from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.params import PARAMS_FILE, Params, find_value, parse
from pixelwise.registry.names import SECTION as REGISTRY
from pixelwise.tools.sections import RECIPES, find_nested_class, find_params_class, split_sections
from pixelwise.tuning.ranges import find_ranges, read_ranges

# In characters: line width without a terminal, least width of the meanings, greatest width of the other columns.
WIDTH, NARROWEST, WIDEST = 160, 40, 32
MISSING = object()


@dataclass(frozen=True)
class Value:
    """One resolved parameter. key: dotted, below its section. origin: `default`, the file, or a recipe's name."""

    key: str
    text: str
    origin: str
    meaning: str


@dataclass(frozen=True)
class ParamsReport:
    """The values of some sections of a parameters file."""

    file: Path
    sections: Mapping[str, Sequence[Value]]

    def __str__(self) -> str:
        """Format one table per section, and how to set another value."""
        tables = [f"{section}\n{format_table(values)}" for section, values in self.sections.items()]
        key = f"{next(iter(self.sections))}.KEY"
        tables.append(
            f"to set a value, edit {self.file}; to try one, dvc exp run -S {key}=3, or +{key}=3 if it is not there"
        )
        return "\n\n".join(tables)


def run(
    section: Annotated[Sequence[str], "sections, such as fcn, fcn.train or fcn.train.network (default: all)"] = (),
    params_file: Annotated[Path, "parameters file to read"] = PARAMS_FILE,
) -> ParamsReport:
    """Print every parameter: its value, where it comes from (default, params.yaml or a recipe), and what it means.

    Raises ParamsError, which lists the known sections, where a section is unknown, or names the file's first bad key.
    """
    content = read_yaml(params_file, "the pipeline's parameters", error=ParamsError)
    sections, recipes = split_sections(content, str(params_file)), read_recipes(content.get(RECIPES) or ())
    # A project that is alone on its server has no such section.
    sections.setdefault(REGISTRY, {})
    tables: dict[str, list[Value]] = {}
    for asked in section or [""]:
        near = [name for name in sections if is_within(name, asked) or is_within(asked, name)]
        resolved = {name: list(resolve(name, sections[name], recipes, params_file)) for name in near}
        matches = {
            name: [value for value in values if is_within(f"{name}.{value.key}", asked)]
            for name, values in resolved.items()
        }
        if not any(matches.values()):
            raise ParamsError(f"section {asked}: unknown, expected one of: {', '.join(sections)}")
        tables |= matches
    return ParamsReport(params_file, tables)


def is_within(key: str, ancestor: str) -> bool:
    """Whether the dotted `key` is `ancestor` or lies below it; every key lies below an empty `ancestor`."""
    return not ancestor or f"{key}.".startswith(f"{ancestor}.")


def read_recipes(files: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read the content of each recipe, by name; skip recipes whose file is missing."""
    existing = [file for file in map(Path, files) if file.is_file()]
    return {file.stem: read_yaml(file, "a recipe", error=ParamsError) for file in existing}


def resolve(
    section: str, overrides: Mapping[str, Any], recipes: Mapping[str, Mapping[str, Any]], file: Path
) -> Iterator[Value]:
    """Yield all values of a section, with the file's `overrides`. Raises ParamsError naming its first bad key."""
    model = find_params_class(section, str(file))
    values, default = (parse(model, layer, f"{file}: {section}").model_dump(mode="json") for layer in (overrides, {}))
    searched = describe_searched(section, model, values)
    for key, meaning in describe_keys(model):
        value = find_value(values, key, MISSING)
        setters = [name for name, sets in recipes.items() if find_value(sets, f"{section}.{key}", MISSING) == value]
        origin = "default" if value == find_value(default, key, MISSING) else [str(file), *setters][-1]
        yield Value(key, format_value(value), origin, meaning + searched.get(key, ""))


def describe_searched(section: str, model: type[Params], values: Mapping[str, Any]) -> dict[str, str]:
    """Describe the ranges in which `pixelwise tune` searches the `values` of a section, by key."""
    family, _, step = section.rpartition(".")
    file = find_ranges(family)
    if step != "train" or not file.is_file():
        return {}
    return {key: f"; searched: {options}" for key, options in read_ranges(file, model, values).items()}


def describe_keys(model: type[Params], at: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted key and the description of every value of `model`, nested models included."""
    for name, field in model.model_fields.items():
        if nested := find_nested_class(model, name):
            yield from describe_keys(nested, f"{at}{name}.")
        else:
            yield f"{at}{name}", field.description or ""


def format_value(value: Any) -> str:
    """Format a value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=math.inf, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def format_table(values: Sequence[Value]) -> str:
    """Format one row per value, its meaning wrapped to the terminal's width."""
    rows = [(value.key, value.text, value.origin) for value in values]
    columns = [min(max(map(len, cells)), WIDEST) for cells in zip(*rows, strict=True)]
    indent = 2 + sum(column + 2 for column in columns)
    width = max(shutil.get_terminal_size((WIDTH, 0)).columns - indent, NARROWEST)
    lines = []
    for row, value in zip(rows, values, strict=True):
        cells = "".join(f"{cell:<{column}}  " for cell, column in zip(row, columns, strict=True))
        lines.append(f"  {cells}{textwrap.fill(value.meaning, width, subsequent_indent=' ' * indent)}".rstrip())
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise params` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
