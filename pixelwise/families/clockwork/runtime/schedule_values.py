"""Calibrated values of schedules, stored in the model folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.errors import ModelError
from pixelwise.model_folder import ModelFolder


def read_values(model: Path, fingerprint: str | None) -> dict[str, str]:
    """Return the values by schedule in the folder `model` for the net with this fingerprint.

    A file for another fingerprint is ignored: the graphs were exported again since. Raises ModelError if the file is
    damaged.
    """
    file = ModelFolder(model).schedules
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text())
        if found["fingerprint"] != fingerprint:
            return {}
        return {str(name): str(value) for name, value in found["values"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{file}: damaged, expected what `pixelwise calibrate --keep` writes; delete it") from None


def add_value(known: Mapping[str, str], fingerprint: str | None, name: str, value: str) -> dict[str, Any]:
    """Return the content of schedules.json with one more value."""
    return {"fingerprint": fingerprint, "values": {**known, name: value}}
