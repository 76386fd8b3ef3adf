"""Why a stage would run again, by dvc.lock, and why a registered model is what it is: all that it was made of."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml

from pixelwise import command
from pixelwise.dvc_lock import remove_truncated_lock
from pixelwise.errors import PixelwiseError
from pixelwise.identity import sha256_file, training_code
from pixelwise.params import PARAMS_FILE
from pixelwise.registry.lineage import Origin, read_origin
from pixelwise.registry.references import PREFIX
from pixelwise.tools.use import shown

CODE = (".py",)
ENVIRONMENT = ("requirements.lock", "pyproject.toml")
MODELS = "models/"


class StageError(PixelwiseError):
    """A stage is unknown, or DVC cannot say how it stands."""


@dataclass(frozen=True)
class Reasons:
    """Why one stage would run again; empty where it is up to date."""

    stage: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class WhyReport:
    """Reasons of the stages asked for, and of those before them, which would run first."""

    asked: tuple[str, ...]
    upstream: tuple[Reasons, ...]
    own: tuple[Reasons, ...]

    def __str__(self) -> str:
        """One line a reason, and the next command."""
        lines = []
        for each in self.own:
            lines.append(f"{each.stage}: {self.verdict(each)}")
            lines += [f"  {reason}" for reason in each.reasons]
        for each in self.upstream:
            lines.append(f"first {each.stage}:")
            lines += [f"  {reason}" for reason in each.reasons]
        is_idle = not self.upstream and not any(each.reasons for each in self.own)
        return "\n".join([*lines, *([] if is_idle else [f"next: dvc repro {' '.join(self.asked)}"])])

    def verdict(self, own: Reasons) -> str:
        """What would happen to a stage asked for."""
        if own.reasons:
            # DVC looks into its run cache only when it runs; it may find this very combination there.
            return "would run again, or be restored if DVC has seen this before:"
        return "up to date itself, would run if what comes first gives other results" if self.upstream else "up to date"


def run(
    stages: Annotated[Sequence[str], "stage of dvc.yaml, such as train-fcn, or models:/NAME@ALIAS"],
    project: Annotated[Path, "root of the checkout"] = Path(),
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> "WhyReport | OriginReport":
    """Say which dependency, parameter or code change would make a stage run again, and which stages would run first.

    Of a model: its parameters, data, code, environment and run, and what of them is otherwise in this checkout.

    Raises StageError naming the stages there are, where one is none of them, RegistryError where there is no such
    model, ModelError where its files are not those registered.
    """
    if any(name.startswith(PREFIX) for name in stages):
        return OriginReport(tuple(described(read_origin(name, tracking), project) for name in stages))
    pipeline = project / "dvc.yaml"
    if not pipeline.is_file():
        raise StageError(f"{pipeline}: no such file, expected the pipeline")
    known = read_yaml(pipeline).get("stages", {})
    for name in stages:
        # DVC names the stages of a `foreach` or `matrix` NAME@ITEM.
        if name.partition("@")[0] not in known:
            raise StageError(f"{pipeline}: no stage {name!r}, expected one of: {' '.join(known)}")
    locked = read_yaml(project / "dvc.lock").get("stages", {})
    found = {
        name: Reasons(name, tuple(reasons(changes, locked.get(name), project, known.get(name, {}).get("cmd"))))
        for name, changes in dvc_status(stages, project).items()
    }
    own = tuple(found.get(name, Reasons(name, ())) for name in stages)
    return WhyReport(tuple(stages), tuple(each for name, each in found.items() if name not in stages), own)


@dataclass(frozen=True)
class OriginReport:
    """What each of the models asked for was made of, in lines."""

    models: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return "\n".join(line for lines in self.models for line in lines)


def described(origin: Origin, project: Path) -> tuple[str, ...]:
    """What a model was made of, each part with whether this checkout has the same."""
    parts, lock, data = origin.parts, project / "requirements.lock", project / "data/prepared/dataset.json"
    recorded = dict(leaves(parts["parameters"], f"{origin.family}.train"))
    now = dict(leaves(at(read_yaml(project / PARAMS_FILE), f"{origin.family}.train"), f"{origin.family}.train"))
    changed = {key: value for key, value in recorded.items() if now.get(key) != value}
    return (
        f"{origin.reference}: version {origin.version} of {origin.name}, family {origin.family}",
        f"  fingerprint  {origin.fingerprint}, of all below but the run",
        *(f"  parameter    {key}: {shown(value)}" for key, value in recorded.items() if key not in changed),
        *(f"  parameter    {key}: {shown(value)}, here {shown(now.get(key))}" for key, value in changed.items()),
        f"  data         {parts['data']}, {comparison(parts['data'], sha256_of(data))}",
        f"  manifest     {origin.manifest or 'not recorded'}, of the data it was scored on",
        f"  code         {parts['code']}, {comparison(parts['code'], training_code(origin.family))}",
        f"  environment  {parts['environment']}, {comparison(parts['environment'], sha256_of(lock))}",
        f"  commit       {origin.commit or 'no repository'}",
        f"  run          {origin.run_id or 'not tracked'}, experiment {origin.experiment}",
        *(f"  {name:<11}  {value}" for name, value in origin.machine.items()),
        *(f"  file         {name}: {value}" for name, value in origin.files.items()),
        f"back: pixelwise release find {origin.fingerprint[:12]}; next: pixelwise reproduce {origin.reference}",
    )


def sha256_of(file: Path) -> str | None:
    """The hash of a file, None where there is none."""
    return sha256_file(file) if file.is_file() else None


def comparison(recorded: str, here: str | None) -> str:
    """Whether what was recorded is what is here."""
    if here is None:
        return "none here"
    return "the same here" if here == recorded else f"here {here}"


def dvc_status(stages: Sequence[str], project: Path) -> dict[str, list[Any]]:
    """What DVC finds changed in the `stages` and all that they need, as its --json has it."""
    remove_truncated_lock(project)
    command = [sys.executable, "-m", "dvc", "status", "--json", "--with-deps", *stages]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StageError(" ".join(done.stderr.split()) or f"dvc status ended with status {done.returncode}")
    return json.loads(done.stdout)


def reasons(
    changes: Sequence[Any], locked: Mapping[str, Any] | None, project: Path, command: str | Sequence[str] | None
) -> Iterator[str]:
    """DVC's `changes` of one stage in words; `locked` is its entry in dvc.lock, None where it never ran."""
    if locked is None:
        yield "it never ran here"
        return
    for change in changes:
        if change == "changed command":
            yield f"command: {locked.get('cmd')} → {command}"
        elif isinstance(change, Mapping):
            for path, what in change.get("changed deps", {}).items():
                if isinstance(what, Mapping):
                    yield from parameters(path, what, locked.get("params", {}).get(path, {}), project)
                else:
                    yield f"{kind_of(path)} {path}: {what}"
            for path, what in change.get("changed outs", {}).items():
                yield f"result {path}: {what}"
        else:
            yield str(change)


def parameters(file: str, changed: Mapping[str, str], locked: Mapping[str, Any], project: Path) -> Iterator[str]:
    """Each value among the `changed` keys of a parameters file that is other than in dvc.lock: `key: old → new`."""
    now = read_yaml(project / file)
    for key in changed:
        old = dict(leaves(locked[key], key)) if key in locked else {}
        new = dict(leaves(value, key)) if (value := at(now, key)) is not None or key in locked else {}
        for name in dict.fromkeys([*old, *new]):
            if name not in old or name not in new or old[name] != new[name]:
                before = shown(old[name]) if name in old else "not set"
                after = shown(new[name]) if name in new else "not set"
                yield f"parameter {name}: {before} → {after}"


def leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """The plain values under `value`, each with its dotted key."""
    if isinstance(value, Mapping):
        for name, child in value.items():
            yield from leaves(child, f"{key}.{name}")
    else:
        yield key, value


def at(values: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted `key`, or None."""
    found: Any = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def kind_of(path: str) -> str:
    """What a dependency is to a user: code, environment, model or data."""
    if path.endswith(CODE):
        return "code"
    if Path(path).name in ENVIRONMENT:
        return "environment"
    return "model" if path.startswith(MODELS) else "data"


def read_yaml(file: Path) -> Mapping[str, Any]:
    """The mapping in a YAML file; empty where there is none."""
    return (yaml.safe_load(file.read_text()) or {}) if file.is_file() else {}


def main(argv: Sequence[str] | None = None) -> None:
    """The command line of `pixelwise why`."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
