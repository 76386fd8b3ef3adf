"""Read JSON and YAML files, with clear errors for files that an editor, a crash or a full disk damaged."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from pixelwise.errors import DataError, PixelwiseError

Kind = type[PixelwiseError]


def read_json(file: Path, expected: str, kind: Any = dict[str, Any], default: Any = ...) -> Any:
    """Read the JSON in `file` as a `kind`, a type that pydantic knows. Return `default`, if given, if there is no file.

    Raises DataError naming what was found and what was `expected`.
    """
    if default is not ... and not file.is_file():
        return default
    try:
        return TypeAdapter(kind).validate_json(read_text(file, expected))
    except ValidationError as error:
        fault = error.errors()[0]
        path = "".join(f"{part}: " for part in fault["loc"])
        raise DataError(f"{file}: {path}{fault['msg']}, expected {expected}") from None


def read_yaml(file: Path, expected: str, default: Any = ..., error: Kind = DataError) -> dict[str, Any]:
    """Read the mapping in a YAML `file`. Return `default`, if given, if there is no file.

    Raises `error` naming what was found and what was `expected`.
    """
    if default is not ... and not file.is_file():
        return dict(default)
    try:
        content = yaml.safe_load(read_text(file, expected, error))
    except (yaml.YAMLError, ValueError) as fault:
        # An invalid date, such as 2001-99-99, raises a plain ValueError.
        raise error(f"{file}: not YAML: {' '.join(str(fault).split())}, expected {expected}") from None
    if not isinstance(content, dict):
        raise error(f"{file}: found {content!r}, expected {expected}")
    return content


def read_text(file: Path, expected: str = "UTF-8 text", error: Kind = DataError) -> str:
    """Read the UTF-8 text in `file`. Raises `error` naming what was found and what was `expected`."""
    try:
        # Windows editors write a byte order mark, which would become part of the first word.
        return file.read_text(encoding="utf-8-sig")
    except OSError as fault:
        reason = (fault.strerror or "unreadable").replace("No such file or directory", "no such file")
        raise error(f"{file}: {reason}, expected {expected}") from None
    except UnicodeDecodeError as fault:
        fault_text = f"byte {fault.start} is {fault.object[fault.start]:#04x}"
        raise error(f"{file}: not UTF-8 text: {fault_text}, expected {expected}") from None
