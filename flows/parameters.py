"""Parse the parameters of a run before its stages, so that a misspelt key of a late stage costs no training."""

from collections.abc import Collection
from pathlib import Path

from pixelwise.cli import STEPS
from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.families import names
from pixelwise.params import PARAMS_FILE, parse
from pixelwise.registry.names import SECTION as REGISTRY
from pixelwise.tools.sections import find_params_class, split_sections


def require_params(project: Path, chosen: Collection[str], changed: Collection[str]) -> None:
    """Parse the sections of the `changed` stages, `release` of each family that has a `chosen` stage, and `registry`.

    The sections of an unchanged stage were parsed when it ran. Raises ParamsError naming the first bad key.
    """
    content = read_yaml(project / PARAMS_FILE, "the pipeline's parameters", error=ParamsError)
    known = {*STEPS, *names()}
    chosen_owners, changed_owners = map(find_owners, (chosen, changed))
    for section, values in split_sections(content, str(PARAMS_FILE)).items():
        owner, _, step = section.partition(".")
        # A stage that a user added may have a section of its own, which only the stage knows.
        if section == REGISTRY or owner in known & (chosen_owners if step == "release" else changed_owners):
            parse(find_params_class(section, str(PARAMS_FILE)), values, f"{PARAMS_FILE}: {section}")


def find_owners(stages: Collection[str]) -> set[str]:
    """The names at the top of params.yaml for `stages`: `fcn` of train@fcn, `ingest` of ingest."""
    return {family or step for step, _, family in (stage.partition("@") for stage in stages)}
