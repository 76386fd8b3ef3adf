"""The recipe of a search's best trial: what differs from the defaults, so that `pixelwise use` restores all of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.files import write_text
from pixelwise.params import find_value, flatten, make_defaults, merge
from pixelwise.registry.names import SECTION as REGISTRY
from pixelwise.tools.sections import find_params_class, split_sections
from pixelwise.tuning.ranges import nest


def write_recipe(file: Path, heading: str, params_file: Path, family: str, drawn: Mapping[str, Any]) -> None:
    """Write to `file` the parameters in `params_file` with the `drawn` values of a family's training.

    It has every section, since `pixelwise use` resets what a recipe leaves out; but not `registry`, which `use` keeps.
    """
    content = read_yaml(params_file, "the pipeline's parameters", error=ParamsError)
    recipe: dict[str, Any] = {}
    for section, values in split_sections(content, str(params_file)).items():
        if section == REGISTRY:
            continue
        defaults = make_defaults(find_params_class(section, str(params_file)))
        own = merge(values, nest(drawn)) if section == f"{family}.train" else values
        differing = {key: value for key, value in flatten(own).items() if find_value(defaults, key) != value}
        recipe = merge(recipe, nest({f"{section}.{key}": value for key, value in differing.items()}))
    write_text(file, f"# {heading}\n{yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True)}")
