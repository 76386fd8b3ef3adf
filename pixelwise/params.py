"""Typed parameters: pydantic models over the sections of params.yaml."""

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError

PARAMS_FILE = Path("params.yaml")


class Params(BaseModel):
    """Base class of every section. Unknown keys are errors, so that a misspelt key is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # Former name of a key -> its current name.
    renamed: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def refuse_former_names(cls, values: Any) -> Any:
        """Raise the error that `parse` reports as a renamed key."""
        for old, new in cls.renamed.items():
            if isinstance(values, Mapping) and old in values:
                raise PydanticCustomError("renamed", "{old}: renamed to {new}", {"old": old, "new": new})
        return values

    @classmethod
    def with_default(cls, field: str, value: Any) -> Any:
        """Copy the `field` of this section with another default, for a subclass. Its range and description stay."""
        field_info = copy(cls.model_fields[field])
        field_info.default = value
        return field_info


P = TypeVar("P", bound=Params)


def read_section(file: Path, section: str) -> dict[str, Any]:
    """Read the mapping at the dotted `section` of the YAML `file`.

    Raises ParamsError if the file or the section is missing or not a mapping.
    """
    values: Any = read_yaml(file, "the pipeline's parameters", error=ParamsError)
    for key in section.split("."):
        if not isinstance(values, Mapping) or key not in values:
            raise ParamsError(f"{file}: section {section}: not found")
        values = values[key]
    if not isinstance(values, Mapping):
        raise ParamsError(f"{file}: section {section}: found {values!r}, expected a mapping, {{}} for the defaults")
    return dict(values)


def merge(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings. The last value of a key wins, except that mappings are merged recursively."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            old = result.get(key)
            both = isinstance(old, Mapping) and isinstance(value, Mapping)
            result[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return result


def flatten(values: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """The values of nested mappings by dotted key, each prefixed with `at`."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{at}{key}.") if isinstance(value, Mapping) else {f"{at}{key}": value}
    return flat


def find_value(values: Mapping[str, Any], key: str, default: Any = None) -> Any:
    """The value at a dotted `key` of nested mappings; `default` if it is missing."""
    value: Any = values
    for name in key.split("."):
        value = value.get(name, default) if isinstance(value, Mapping) else default
    return value


def make_defaults(model: type[Params]) -> dict[str, Any]:
    """The default values of a section, as YAML types."""
    return model().model_dump(mode="json")


def parse(model: type[P], values: Mapping[str, Any], source: str) -> P:
    """Validate `values` as a `model`. `source` names their origin in the error (params.yaml: fcn.train).

    Raises ParamsError naming the first bad key, what was found and what was expected.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ParamsError(f"{source}{describe(error)}") from None


def describe(error: ValidationError) -> str:
    """Format the first fault of a validation error as `.key: found X, expected Y`."""
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "renamed":
        return f".{key}.{fault['msg']}" if key else f".{fault['msg']}"
    if fault["type"] == "extra_forbidden":
        return f".{key}: unknown key"
    if fault["type"] == "missing":
        return f".{key}: missing"
    return f".{key}: found {fault['input']!r}, expected: {fault['msg']}"
