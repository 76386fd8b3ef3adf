"""Whether the inputs of the stage that DVC runs stay as they were while its step runs.

DVC reads parameters, code digests and dependencies after the command has ended, and records them as what the result was
made of. What was edited while the step ran would be recorded in place of what ran.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pixelwise.digest import hash_code
from pixelwise.documents import read_json, read_yaml
from pixelwise.errors import PixelwiseError
from pixelwise.params import PARAMS_FILE, find_value, flatten
from pixelwise.sources import CodeError, recall_sources

# DVC sets this to the name of the stage whose command it runs.
STAGE = "DVC_STAGE"
DVC_FILE, LOCK_FILE = Path("dvc.yaml"), Path("dvc.lock")
# The stage `code` writes the digest of each stage's code to this folder, and what it has parsed to SOURCES.
DIGESTS, SOURCES = Path("digests"), Path(".state/sources.json")


class InputsChangedError(PixelwiseError):
    """An input of the stage was changed while its step ran, or its code after DVC had read it."""


@dataclass(frozen=True)
class Inputs:
    """The inputs of a stage at one moment.

    parameters: dotted key -> value. code: file -> hash of the code that runs. files: path -> (bytes, time of the last
    change in nanoseconds), of all dependencies and the files in them.
    """

    parameters: Mapping[str, Any]
    code: Mapping[str, str]
    files: Mapping[str, tuple[int, int]]


def require_unchanged() -> None:
    """Raise InputsChangedError where an input of the stage is not what it was at the first call.

    The first call compares the code with the digest by which DVC decided to run the stage. Without DVC nothing is
    compared: a command that a user types records what it was given.
    """
    if not (stage := os.environ.get(STAGE)) or not DVC_FILE.is_file():
        return
    before, now = read_first(stage), read_inputs(stage)
    for kind in ("parameters", "code", "files"):
        old, new = getattr(before, kind), getattr(now, kind)
        if changed := next((key for key in {**old, **new} if old.get(key) != new.get(key)), None):
            values = f" from {old.get(changed)} to {new.get(changed)}" if kind == "parameters" else ""
            raise InputsChangedError(
                f"{stage}: {changed} was changed{values} while the stage ran, so its result is not recorded; "
                f"run it again, or change it back to go on from where it was"
            )


@cache
def read_first(stage: str) -> Inputs:
    """The inputs of `stage` at the first call. Raises InputsChangedError where its code is not that of its digest."""
    inputs = read_inputs(stage)
    for file, digest in read_digest(stage).items():
        if inputs.code.get(file) != digest:
            raise InputsChangedError(f"{stage}: {file} was changed after the stage `code` ran; run it again")
    return inputs


def read_inputs(stage: str) -> Inputs:
    """Read what the inputs of `stage` are now."""
    resolved = resolve_stage(stage)
    values = read_yaml(PARAMS_FILE, "parameters", default={})
    parameters = flatten({key: find_value(values, key) for key in resolved.get("params", []) if isinstance(key, str)})
    recall_sources(SOURCES)
    code = {file: hash_now(Path(file)) for file in read_digest(stage)}
    files = {
        str(file): (status.st_size, status.st_mtime_ns)
        for path in resolved.get("deps", [])
        for file in list_files(Path(path))
        if (status := file.stat())
    }
    return Inputs(parameters, code, files)


def read_digest(stage: str) -> Mapping[str, str]:
    """The hash of each file of the stage's code, as the stage `code` wrote it; empty if the stage has no digest."""
    name, _, family = stage.partition("@")
    content: Mapping[str, Any] = read_json(DIGESTS / family / f"{name}.json", "a digest", default={})
    return content.get("files", {})


def hash_now(file: Path) -> str:
    """The hash of the code in `file` as it is now; empty where the file is gone or cannot be read."""
    try:
        return hash_code(file)
    except (OSError, CodeError):
        return ""


def list_files(path: Path) -> Iterator[Path]:
    """`path` itself if it is a file, or all files in the folder `path`."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            yield from (Path(folder, name) for name in names if Path(folder, name).is_file())
    elif path.is_file():
        yield path


def resolve_stage(stage: str) -> Mapping[str, Any]:
    """The entry of `stage` in dvc.yaml, with its templates filled in; empty if there is none.

    DVC itself is not imported, since that takes half a second in every step.
    """
    content = read_yaml(DVC_FILE, "the pipeline")
    name, _, key = stage.partition("@")
    entry = content.get("stages", {}).get(name, {})
    if "foreach" not in entry:
        return entry
    shared = {key: value for values in content.get("vars", []) for key, value in values.items()}
    items = fill_in(entry["foreach"], shared)
    item = items.get(key) if isinstance(items, Mapping) else key
    return fill_in(entry["do"], shared | {"key": key, "item": item})


def fill_in(value: Any, names: Mapping[str, Any]) -> Any:
    """`value` with each `${name}` and `${name.key}` replaced by its value in `names`."""
    if isinstance(value, Mapping):
        return {key: fill_in(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [fill_in(part, names) for part in value]
    if not isinstance(value, str):
        return value
    if whole := re.fullmatch(r"\$\{([\w.]+)\}", value):
        return find_value(names, whole[1])
    return re.sub(r"\$\{([\w.]+)\}", lambda match: str(find_value(names, match[1])), value)
