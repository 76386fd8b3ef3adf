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
from pixelwise.params import PARAMS_FILE, Params, parse
from pixelwise.tools.sections import RECIPES, model_of, part_of, sections_of

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
    section: Annotated[Sequence[str], "such as fcn, fcn.train or fcn.train.network; none: all"] = (),
    params_file: Annotated[Path, "the file to read"] = PARAMS_FILE,
) -> ParamsReport:
    """Print every parameter: its value, where it comes from (default, params.yaml or a recipe), and what it means.

    Raises ParamsError, which lists the known sections, where a section is unknown, or names the file's first bad key.
    """
    content = read_yaml(params_file, "the pipeline's parameters", error=ParamsError)
    sections, recipes = sections_of(content, str(params_file)), read_recipes(content.get(RECIPES) or ())
    found: dict[str, list[Value]] = {}
    for wanted in section or [""]:
        near = [name for name in sections if is_within(name, wanted) or is_within(wanted, name)]
        tables = {name: list(resolve(name, sections[name], recipes, params_file)) for name in near}
        chosen = {
            name: [value for value in values if is_within(f"{name}.{value.key}", wanted)]
            for name, values in tables.items()
        }
        if not any(chosen.values()):
            raise ParamsError(f"section {wanted}: unknown, expected one of: {', '.join(sections)}")
        found |= chosen
    return ParamsReport(params_file, found)


def is_within(key: str, part: str) -> bool:
    """Whether the dotted `key` is `part` or lies below it; every key lies below an empty `part`."""
    return not part or f"{key}.".startswith(f"{part}.")


def read_recipes(files: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read the content of each recipe, by name; skip recipes whose file is missing."""
    there = [file for file in map(Path, files) if file.is_file()]
    return {file.stem: read_yaml(file, "a recipe", error=ParamsError) for file in there}


def resolve(
    section: str, given: Mapping[str, Any], recipes: Mapping[str, Mapping[str, Any]], file: Path
) -> Iterator[Value]:
    """Yield all values of a section; `given` are those in the file. Raises ParamsError naming its first bad key."""
    model = model_of(section, str(file))
    values, default = (parse(model, each, f"{file}: {section}").model_dump(mode="json") for each in (given, {}))
    for key, meaning in describe_keys(model):
        value = find_value(values, key)
        setters = [name for name, sets in recipes.items() if find_value(sets, f"{section}.{key}") == value]
        origin = "default" if value == find_value(default, key) else [str(file), *setters][-1]
        yield Value(key, format_value(value), origin, meaning)


def describe_keys(model: type[Params], at: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted key and the description of every value of `model`, nested models included."""
    for name, field in model.model_fields.items():
        if part := part_of(model, name):
            yield from describe_keys(part, f"{at}{name}.")
        else:
            yield f"{at}{name}", field.description or ""


def find_value(values: Mapping[str, Any], key: str) -> Any:
    """Return the value at a dotted `key` of nested mappings, or MISSING."""
    found: Any = values
    for name in key.split("."):
        found = found.get(name, MISSING) if isinstance(found, Mapping) else MISSING
    return found


def format_value(value: Any) -> str:
    """Format a value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=math.inf, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def format_table(values: Sequence[Value]) -> str:
    """Format one row per value, its meaning wrapped to the terminal's width."""
    rows = [(value.key, value.text, value.origin) for value in values]
    columns = [min(max(map(len, cells)), WIDEST) for cells in zip(*rows, strict=True)]
    before = 2 + sum(column + 2 for column in columns)
    width = max(shutil.get_terminal_size((WIDTH, 0)).columns - before, NARROWEST)
    lines = []
    for row, value in zip(rows, values, strict=True):
        cells = "".join(f"{cell:<{column}}  " for cell, column in zip(row, columns, strict=True))
        lines.append(f"  {cells}{textwrap.fill(value.meaning, width, subsequent_indent=' ' * before)}".rstrip())
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise params` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
