"""Point params.yaml at a recipe: its values replace those of the file, whose comments and order stay."""

import io
import json
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pixelwise import command
from pixelwise.errors import DataError, ParamsError
from pixelwise.files import write_text
from pixelwise.params import PARAMS_FILE

GENERATED = "town"


@dataclass(frozen=True)
class Change:
    """One value of params.yaml that a recipe replaced."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        """`fcn.train.epochs: 8 → 30`."""
        return f"{self.key}: {shown(self.old)} → {shown(self.new)}"


@dataclass(frozen=True)
class UseReport:
    """What `use` changed."""

    file: Path
    changes: tuple[Change, ...]

    def __str__(self) -> str:
        """The changes and the next command."""
        if not self.changes:
            return f"{self.file}: nothing to change\nnext: make pipeline"
        lines = [f"  {change}" for change in self.changes]
        return "\n".join([f"{self.file}: {len(lines)} changed", *lines, "next: make pipeline, or dvc repro"])


def run(
    recipe: Annotated[Sequence[Path], "recipe, such as recipes/camvid-cpu.yaml; of several, the later win"],
    root: Annotated[Path | None, "folder of your data; sets ingest.root"] = None,
    params_file: Annotated[Path, "the file to change"] = PARAMS_FILE,
) -> UseReport:
    """Merge a recipe into params.yaml, keeping its comments, and point ingest at your data.

    recipes/town-cpu.yaml brings the defaults back. Raises ParamsError naming a key that params.yaml does not have, and
    DataError where the data is not there; then nothing is written.
    """
    params = load(params_file, "the pipeline's parameters")
    sources = [(str(file), load(file, "a recipe")) for file in recipe]
    if root is not None:
        sources.append(("--root", {"ingest": {"root": str(root)}}))
    changes: dict[str, Change] = {}
    for source, values in sources:
        for change in merge(params, values, source):
            first = changes.get(change.key, change)
            changes[change.key] = Change(change.key, first.old, change.new)
    require_data(params, source=", ".join(map(str, recipe)))
    made = tuple(change for change in changes.values() if change.old != change.new)
    if made:
        write_text(params_file, dump(params))
    return UseReport(params_file, made)


def merge(params: MutableMapping[str, Any], values: Mapping[str, Any], source: str, at: str = "") -> list[Change]:
    """Set the `values` in `params`, in place; returns those that are other than before.

    Raises ParamsError naming the `source` and the first key that `params` does not have.
    """
    changes = []
    for name, value in values.items():
        key = f"{at}{name}"
        if name not in params:
            raise ParamsError(f"{source}: {key}: unknown key, expected one of: {' '.join(map(str, params))}")
        old = params[name]
        if isinstance(old, Mapping) != isinstance(value, Mapping):
            expected = "a mapping" if isinstance(old, Mapping) else "a value"
            raise ParamsError(f"{source}: {key}: found {shown(value)}, expected {expected}")
        if isinstance(old, Mapping):
            changes += merge(params[name], value, source, f"{key}.")
        elif old != value:
            params[name] = value
            changes.append(Change(key, old, value))
    return changes


def require_data(params: Mapping[str, Any], source: str) -> None:
    """Raise DataError unless the data that `params` asks for is there; the town is generated and needs none.

    Raises ParamsError where its root is no path.
    """
    ingest = params.get("ingest") or {}
    dataset, root = ingest.get("dataset"), ingest.get("root")
    if root is None and dataset not in (None, GENERATED):
        raise DataError(f"{source}: ingest.root: not set, expected the folder of {dataset}: give --root PATH")
    if root is not None and not isinstance(root, str):
        raise ParamsError(f"{source}: ingest.root: found {shown(root)}, expected a path")
    if root is not None and not Path(root).exists():
        raise DataError(f"{source}: ingest.root {root}: no such folder, expected your data: give --root PATH")


def load(file: Path, what: str) -> MutableMapping[str, Any]:
    """The mapping in the YAML `file`, with its comments. Raises ParamsError where it is missing or no mapping."""
    from ruamel.yaml.error import YAMLError

    try:
        found = editor().load(file.read_text())
    except OSError as error:
        raise ParamsError(f"{file}: {(error.strerror or 'unreadable').lower()}, expected {what}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, MutableMapping):
        raise ParamsError(f"{file}: found {shown(found)}, expected a mapping of sections")
    return found


def dump(params: Mapping[str, Any]) -> str:
    """`params` as YAML text, comments included."""
    text = io.StringIO()
    editor().dump(params, text)
    return text.getvalue()


def editor() -> Any:
    """A YAML reader and writer that leaves alone what it is not told to change."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.representer.add_representer(
        type(None), lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return yaml


def shown(value: Any) -> str:
    """A value on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def main(argv: Sequence[str] | None = None) -> None:
    """The command line of `pixelwise use`."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
