"""Reading back what a study kept: JSON files that a crash, a full disk or an editor may have damaged."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pixelwise.errors import DataError


def read_json(file: Path, kind: Any) -> Any:
    """The JSON `file` as a `kind`, a type that pydantic knows. Raises DataError where it is missing or another."""
    try:
        return TypeAdapter(kind).validate_json(file.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{file}: no such file, expected what a study kept") from None
    except ValidationError as error:
        fault = error.errors()[0]
        at = ".".join(str(part) for part in fault["loc"])
        raise DataError(f"{file}: damaged, delete it: {at}{': ' if at else ''}{fault['msg']}") from None
