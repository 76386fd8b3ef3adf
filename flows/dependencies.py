"""Keep the code dependencies of dvc.yaml equal to what each stage's step imports: `make deps` writes them.

DVC does not see Python imports: a file left out of `deps` would leave a stale result standing.
"""

import re
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from pixelwise import families
from pixelwise.cli import module_of
from pixelwise.files import write_text
from pixelwise.identity import PACKAGES, PROJECT, code_closure

DVC_FILE = PROJECT / "dvc.yaml"
FAMILIES = Path("pixelwise/families/__init__.py")
# Step -> what it asks a family for; else how it learns.
HOOKS = {"evaluate": ("find_options", "find_measure")}


def step_closure(stage: str, command: str) -> list[str]:
    """The files that the step behind `command` (`pixelwise VERB …`) imports; sorted.

    Families are found by name at run time, which no import shows: a stage that can load one depends on its own, and not
    on the others, so that work on one family leaves the results of the rest alone.
    """
    found = re.match(r"pixelwise ([\w-]+)", command)
    if found is None:
        raise ValueError(f"dvc.yaml: {stage}: command {command!r}, expected pixelwise VERB")
    modules = [module_of(found[1])]
    if FAMILIES in code_closure(modules):
        family = stage.partition("-")[2]
        modules += [families.module_of(family, find) for find in HOOKS.get(found[1], ("find",))]
    return [path.as_posix() for path in code_closure(modules)]


def is_code(dependency: str) -> bool:
    """Whether a dependency is a Python file of this project."""
    return dependency.endswith(".py") and dependency.partition("/")[0] in PACKAGES


def updated(text: str) -> str:
    """The text of dvc.yaml with every stage's code dependencies brought up to date, comments kept."""
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    for name, stage in document["stages"].items():
        dependencies: list[str] = stage["deps"]
        # Code stands last and the list is changed in place, since comments belong to the list object.
        while dependencies and is_code(dependencies[-1]):
            # By its positive index: at -1 ruamel.yaml moves the comments of the others up a line.
            del dependencies[len(dependencies) - 1]
        dependencies.extend(step_closure(name, stage["cmd"]))
    out = StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def main() -> None:
    """Bring dvc.yaml up to date."""
    write_text(DVC_FILE, updated(DVC_FILE.read_text()))


if __name__ == "__main__":
    main()
