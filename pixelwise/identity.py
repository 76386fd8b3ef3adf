"""Content hashes, and the fingerprint over the origin of a result."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


def sha256_file(path: Path) -> str:
    """The SHA-256 hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_pixels(values: Any) -> str:
    """The SHA-256 hex digest of pixels, as the manifest has it. values: an array, or a Pillow image."""
    return hashlib.sha256(values.tobytes()).hexdigest()


def sha256_json(value: Any) -> str:
    """The SHA-256 hex digest of `value` as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def compute_fingerprint(parts: Mapping[str, Any]) -> str:
    """The SHA-256 over the named parts of a result's origin: parameters, data, code, environment, upstream models."""
    return sha256_json(dict(parts))
