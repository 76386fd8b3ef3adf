"""Set params.yaml up for a data set: find its format, fit a recipe to it, and apply the recipe as `use` does."""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

from pixelwise import command
from pixelwise.data.decoding import MAX_PIXELS
from pixelwise.documents import read_yaml
from pixelwise.errors import DataError, ParamsError
from pixelwise.files import write_text
from pixelwise.inspection.recipe import Choice, fit_recipe, read_facts
from pixelwise.inspection.source import PICTURES, PREPARED, open_source
from pixelwise.inspection.survey import Survey, survey
from pixelwise.params import PARAMS_FILE, make_defaults, merge
from pixelwise.tools import use
from pixelwise.tools.params import format_value
from pixelwise.tools.sections import RECIPES, find_params_class, split_sections
from pixelwise.validation.limits import Limits

Device = Literal["auto", "cpu", "cuda"]

FOLDER = "recipes"
LOOKED_AT = 100  # pictures of each split


@dataclass(frozen=True)
class InitReport:
    """The data, the values chosen for it with their reasons, and the files that were written."""

    survey: Survey
    choices: tuple[Choice, ...]
    recipes: tuple[Path, ...]
    params_file: Path

    def __str__(self) -> str:
        """List what was found, each value with its reason, and the next commands."""
        source, path = self.survey.source, self.survey.path
        splits = ", ".join(f"{name} {count:,}" for name, count in source.splits.items())
        lines = [f"{path}: {source.format}, {len(source.classes)} classes; {splits}", f"because of {source.why}"]
        lines += [f"  {choice.key}: {format_value(choice.value)}  # {choice.why}" for choice in self.choices]
        if not any(choice.key == "ingest.classes" for choice in self.choices):
            lines.append("  classes are kept as they are: no two names are alike, and none means unlabelled")
        lines.append(f"written: {self.params_file}, from {' and '.join(map(str, self.recipes))}")
        if found := self.survey.suspicious:
            lines.append(f"suspicious: {found[0].name}: {found[0].found}; see pixelwise inspect {path}")
        return "\n".join([*lines, "next: make pipeline"])


def run(
    path: Annotated[Sequence[Path], "folder or archive of a labelled data set"],
    device: Annotated[
        Literal["auto", "cpu", "cuda"], "machine to fit the recipe to; auto: a GPU if there is one"
    ] = "auto",
    force: Annotated[bool, "overwrite values that were edited"] = False,
    params_file: Annotated[Path, "the file to set up"] = PARAMS_FILE,
) -> InitReport:
    """Find out what the data at PATH is, write a recipe for it beside params.yaml, and set params.yaml to the recipe.

    The recipe is recipes/NAME.yaml, NAME being that of PATH. A recipe of the project for this format and machine, such
    as recipes/camvid-cpu.yaml, is applied first. Raises DataError where PATH holds no labelled data set that can be
    read, and ParamsError where values of params.yaml were edited and --force is not given.
    """
    if len(path) != 1:
        raise ParamsError(f"init: found {len(path)} paths, expected one")
    (root,) = path
    if not force and (edited := find_edited(params_file)):
        raise ParamsError(f"{params_file}: {edited} was edited, expected no edits: give --force to overwrite them")
    seen = look_at(root)
    has_gpu = device == "cuda" or (device == "auto" and shutil.which("nvidia-smi") is not None)
    models = {section: find_params_class(section, str(params_file)) for section in list_sections(params_file)}
    known = params_file.parent / FOLDER / f"{seen.source.format}-{'gpu' if has_gpu else 'cpu'}.yaml"
    base = (known,) if known.is_file() else ()
    choices = tuple(fit_recipe(read_facts(seen, seen.source.splits, has_gpu), {} if base else models))
    data = (
        Choice("ingest.dataset", seen.source.format, seen.source.why),
        Choice("ingest.root", str(root.resolve()), "the data"),
    )
    fitted = params_file.parent / FOLDER / f"{root.resolve().name.partition('.')[0] or 'data'}.yaml"
    write_recipe(fitted, [*data, *choices], force)
    use.run([*base, fitted], params_file=params_file)
    return InitReport(seen, choices, (*base, fitted), params_file)


def look_at(root: Path) -> Survey:
    """Look at some pictures of each split of a labelled data set. Raises DataError where `root` holds none."""
    with TemporaryDirectory(prefix="pixelwise-init-") as work:
        source = open_source(root, Path(work), LOOKED_AT, MAX_PIXELS)
        if source.format in (PICTURES, PREPARED) or not source.classes:
            found = "; ".join(source.faults) or f"{source.format}: {source.why}"
            raise DataError(f"{root}: {found}; expected a labelled data set: see pixelwise inspect {root}")
        return survey(root, source, Limits())


def find_edited(params_file: Path) -> str | None:
    """The first key of params.yaml whose value comes neither from its recipes nor from the defaults; None without one.

    `ingest.root` does not count, since `use --root` sets it.
    """
    content = read_yaml(params_file, "the pipeline's parameters", error=ParamsError)
    files = [file for file in map(Path, content.get(RECIPES) or ()) if file.is_file()]
    recipes = [use.read_sections(read_yaml(file, "a recipe", error=ParamsError), str(file)) for file in files]
    given: Mapping[str, Any] = merge(*recipes)
    for section, shown in split_sections(content, str(params_file)).items():
        default = make_defaults(find_params_class(section, str(params_file)))
        found, expected = merge(default, shown), merge(default, given.get(section, {}))
        for change in use.list_changes(section, expected, found):
            if change.key != "ingest.root":
                return str(change)
    return None


def list_sections(params_file: Path) -> list[str]:
    """The dotted names of the sections of params.yaml."""
    return list(
        split_sections(read_yaml(params_file, "the pipeline's parameters", error=ParamsError), str(params_file))
    )


def write_recipe(file: Path, choices: Sequence[Choice], force: bool) -> None:
    """Write a recipe. Raises ParamsError at a file of this name that `init` did not write."""
    title = "# Written by `pixelwise init`, which writes it anew."
    if file.is_file() and not file.read_text().startswith(title) and not force:
        raise ParamsError(f"{file}: exists and was not written by init: rename it, or give --force to overwrite it")
    write_text(file, f"{title}\n{render_recipe(choices)}")


def render_recipe(choices: Sequence[Choice]) -> str:
    """Render choices as YAML; each value has its reason as a comment."""
    lines: list[str] = []
    written: Counter[tuple[str, ...]] = Counter()
    for choice in sorted(choices, key=lambda choice: choice.key.split(".")):
        *parents, name = choice.key.split(".")
        for depth in range(len(parents)):
            if not written[tuple(parents[: depth + 1])]:
                lines.append(f"{'  ' * depth}{parents[depth]}:")
            written[tuple(parents[: depth + 1])] += 1
        lines.append(f"{'  ' * len(parents)}{name}: {format_value(choice.value)}  # {choice.why}")
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise init` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
