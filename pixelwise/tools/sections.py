"""Sections of params.yaml, such as `ingest` or `FAMILY.STEP`, and the classes of their parameters."""

import importlib
from collections.abc import Mapping
from typing import Any

from pixelwise.cli import STEPS, find_module
from pixelwise.command import strip_none
from pixelwise.errors import ParamsError
from pixelwise.families import find_options, find_params, names
from pixelwise.params import Params
from pixelwise.registry import names as registry_names

# A key that is no section: the paths of the recipes that `pixelwise use` applied.
RECIPES = "recipes"


def split_sections(content: Mapping[str, Any], source: str) -> dict[str, dict[str, Any]]:
    """Split the content of a parameters file or a recipe by section.

    Raises ParamsError naming the `source` and the section that is no mapping.
    """
    sections: dict[str, Any] = {}
    for name, value in content.items():
        if name in names() and isinstance(value, Mapping):
            sections |= {f"{name}.{step}": values for step, values in value.items()}
        elif name != RECIPES:
            sections[str(name)] = value
    for section, values in sections.items():
        if not isinstance(values, Mapping | None):
            raise ParamsError(f"{source}: {section}: found {values!r}, expected a mapping")
    return {section: dict(values or {}) for section, values in sections.items()}


def find_params_class(section: str, source: str) -> type[Params]:
    """Find the class of a section's parameters: the family's own, else that of the step that reads the section.

    Raises ParamsError naming the `source` where the section is unknown.
    """
    family, _, step = section.rpartition(".")
    name = f"{step.capitalize()}Params"
    modules = [find_params(family), find_options(family)] if family in names() else []
    modules += [registry_names] if section == registry_names.SECTION else []
    if step in STEPS and not any(hasattr(module, name) for module in modules):
        modules.append(importlib.import_module(find_module(step)))
    classes = [getattr(module, name) for module in modules if hasattr(module, name)]
    if not classes:
        raise ParamsError(f"{source}: {section}: unknown section")
    model: type[Params] = classes[0]
    return model


def find_nested_class(model: type[Params], key: str) -> type[Params] | None:
    """Return the class of a key that has keys of its own, None for a plain value."""
    kind = strip_none(model.model_fields[key].annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Params) else None
