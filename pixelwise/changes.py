"""Explain why DVC would run a stage again: the differences from dvc.lock, in words."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.documents import read_yaml
from pixelwise.dvc_lock import remove_truncated_lock
from pixelwise.errors import PixelwiseError
from pixelwise.params import find_value, flatten
from pixelwise.stage_inputs import DIGESTS, DVC_FILE, LOCK_FILE

MODELS = Path("models")


class StageError(PixelwiseError):
    """A stage is unknown, or DVC cannot report its status."""


def read_stages(project: Path) -> Mapping[str, Mapping[str, Any]]:
    """Read the stages of dvc.yaml with their templates unresolved. Raises StageError if dvc.yaml is missing."""
    return read_yaml(project / DVC_FILE, "the pipeline", error=StageError).get("stages", {})


def find_changes(stages: Sequence[str], project: Path) -> dict[str, tuple[str, ...]]:
    """The reasons why `stages` and their upstream stages would run again, without stages that are up to date.

    Raises StageError naming the known stages if one is unknown.
    """
    all_stages = read_stages(project)
    for name in stages:
        # DVC names the stages of a `foreach` NAME@ITEM.
        if name.partition("@")[0] not in all_stages:
            raise StageError(f"{project / DVC_FILE}: no stage {name!r}, expected one of: {' '.join(all_stages)}")
    locked = read_yaml(project / LOCK_FILE, "DVC's lock file", default={}).get("stages", {})
    return {
        name: tuple(explain(changes, locked.get(name), project, all_stages.get(name, {}).get("cmd")))
        for name, changes in read_status(stages, project).items()
        if not all_stages.get(name, {}).get("always_changed")
    }


def read_status(stages: Sequence[str], project: Path) -> dict[str, list[Any]]:
    """The output of `dvc status --json` for `stages` and their upstream stages."""
    remove_truncated_lock(project)
    return json.loads(run_dvc("status", "--json", "--with-deps", *stages, project=project))


def run_dvc(*command: str, project: Path) -> str:
    """Run a DVC command and return its output. Raises StageError with DVC's message if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *command], cwd=project, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StageError(" ".join(done.stderr.split()) or f"dvc {command[0]} ended with status {done.returncode}")
    return done.stdout


def explain(
    changes: Sequence[Any], locked: Mapping[str, Any] | None, project: Path, command: str | Sequence[str] | None
) -> Iterator[str]:
    """Describe DVC's `changes` of one stage in words.

    locked: the stage's entry in dvc.lock; None if it never ran. command: that of dvc.yaml; None for a `foreach` stage.
    """
    if locked is None:
        yield "it never ran here"
        return
    for change in changes:
        if change == "changed command":
            yield f"command: {locked.get('cmd')} → {command or 'see dvc.yaml'}"
        elif isinstance(change, Mapping):
            for path, change_kind in change.get("changed deps", {}).items():
                yield from explain_dependency(path, change_kind, locked, project)
            for path, change_kind in change.get("changed outs", {}).items():
                yield f"result {path}: {change_kind}"
        else:
            yield str(change)


def explain_dependency(path: str, change: Any, locked: Mapping[str, Any], project: Path) -> Iterator[str]:
    """Describe one changed dependency: the values of a parameters file, or the files and libraries of a digest."""
    if isinstance(change, Mapping):
        yield from explain_parameters(path, change, locked.get("params", {}).get(path, {}), project)
    elif Path(path).is_relative_to(DIGESTS):
        recorded = next(dependency for dependency in locked["deps"] if dependency["path"] == path)
        yield from explain_digest(path, recorded["md5"], project)
    else:
        yield f"{'model' if Path(path).is_relative_to(MODELS) else 'data'} {path}: {change}"


def explain_digest(path: str, md5: str, project: Path) -> Iterator[str]:
    """Name each code file and library that differs from the digest of the stage's last run.

    DVC's cache has that digest under its `md5`, unless `dvc gc` removed it.
    """
    cached = Path(run_dvc("cache", "dir", project=project).strip()) / "files/md5" / md5[:2] / md5[2:]
    if not cached.is_file():
        yield f"code {path}: modified; what it was is no longer in DVC's cache"
        return
    recorded, now = json.loads(cached.read_text()), json.loads((project / path).read_text())
    for file, old, new in list_differences(recorded["files"], now["files"]):
        yield f"code {file}: {'new' if old is None else 'deleted' if new is None else 'modified'}"
    for library, old, new in list_differences(recorded["versions"], now["versions"]):
        yield f"library {library}: {old or 'not used'} → {new or 'not used'}"


def list_differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (key, old, new) for each different value; None if the key is missing."""
    for key in dict.fromkeys([*recorded, *now]):
        if recorded.get(key) != now.get(key):
            yield key, recorded.get(key), now.get(key)


def explain_parameters(
    file: str, changed: Mapping[str, str], locked: Mapping[str, Any], project: Path
) -> Iterator[str]:
    """Describe each value under the `changed` keys of a parameters file that differs from dvc.lock."""
    now = read_yaml(project / file, "parameters", default={})
    for key in changed:
        old = flatten({key: locked[key]}) if key in locked else {}
        new = flatten({key: value}) if (value := find_value(now, key)) is not None or key in locked else {}
        for name in dict.fromkeys([*old, *new]):
            if name not in old or name not in new or old[name] != new[name]:
                old_text = format_value(old[name]) if name in old else "not set"
                new_text = format_value(new[name]) if name in new else "not set"
                yield f"parameter {name}: {old_text} → {new_text}"


def format_value(value: Any) -> str:
    """Format a value on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)
