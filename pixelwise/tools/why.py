"""Explain why a stage would run again, compared with dvc.lock, and what a registered model was made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pixelwise import command
from pixelwise.changes import find_changes, format_value, read_stages
from pixelwise.documents import read_yaml
from pixelwise.families import find_params
from pixelwise.families.origin import training_parts
from pixelwise.identity import sha256_file
from pixelwise.params import PARAMS_FILE, find_value, flatten, make_defaults, merge
from pixelwise.registry.lineage import Origin, read_origin
from pixelwise.registry.references import PREFIX
from pixelwise.stage_inputs import DIGESTS
from pixelwise.tools import code


@dataclass(frozen=True)
class WhyReport:
    """Stage -> reasons to run again. own: of the stages `asked`. upstream: of the stages that would run before them."""

    asked: tuple[str, ...]
    own: Mapping[str, tuple[str, ...]]
    upstream: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        """Format one line per reason, and the next command."""
        lines = []
        for stage, reasons in self.own.items():
            lines += [f"{stage}: {self.describe_stage(reasons)}", *(f"  {reason}" for reason in reasons)]
        for stage, reasons in self.upstream.items():
            lines += [f"first {stage}:", *(f"  {reason}" for reason in reasons)]
        is_idle = not self.upstream and not any(self.own.values())
        return "\n".join([*lines, *([] if is_idle else [f"next: dvc repro {' '.join(self.asked)}"])])

    def describe_stage(self, reasons: Sequence[str]) -> str:
        """Describe what `dvc repro` would do with a stage of `asked`."""
        if reasons:
            # DVC reads its run cache only when it runs; the cache may hold a result for these inputs.
            return "would run again, or be restored from DVC's run cache:"
        return "up to date; would run if an upstream stage changes its output" if self.upstream else "up to date"


@dataclass(frozen=True)
class OriginReport:
    """Lines about each requested model: the inputs that it was made from."""

    models: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        return "\n".join(line for lines in self.models for line in lines)


def run(
    stages: Annotated[Sequence[str], "stages of dvc.yaml, such as train@fcn, or models:/NAME@ALIAS"],
    project: Annotated[Path, "root of the checkout"] = Path(),
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> WhyReport | OriginReport:
    """Show why a stage would run again (parameters, data, code files, libraries) and which stages would run first.

    For a model: show its parameters, data, code, libraries and run, and which of them differ in this checkout.

    Raises StageError, which lists the known stages, where a stage is unknown, RegistryError where the model is unknown,
    ModelError where its files are not those registered.
    """
    if any(name.startswith(PREFIX) for name in stages):
        return OriginReport(tuple(describe(read_origin(name, tracking), project) for name in stages))
    if "code" in read_stages(project):
        # `dvc repro` writes the digests first too: DVC compares them, and the existing ones may be of older code.
        code.run(project / DIGESTS, project)
    reasons = find_changes(stages, project)
    own: dict[str, tuple[str, ...]] = {}
    for name in stages:
        # As in DVC, `train` means all stages `train@…`.
        own |= {stage: reasons[stage] for stage in reasons if name in (stage, stage.partition("@")[0])} or {name: ()}
    return WhyReport(tuple(stages), own, {stage: reasons[stage] for stage in reasons if stage not in own})


def describe(origin: Origin, project: Path) -> tuple[str, ...]:
    """List what a model was made from, and for each part whether this checkout has the same."""
    parts, data = origin.parts, project / "data/prepared/dataset.json"
    here = training_parts(origin.family)
    section = f"{origin.family}.train"
    current = find_value(read_yaml(project / PARAMS_FILE, "parameters", default={}), section) or {}
    recorded = flatten(parts["parameters"], f"{section}.")
    now = flatten(merge(make_defaults(find_params(origin.family).TrainParams), current), f"{section}.")
    changed = {key: value for key, value in recorded.items() if now.get(key) != value}
    return (
        f"{origin.reference}: version {origin.version} of {origin.name}, family {origin.family}",
        f"  fingerprint  {origin.fingerprint}, of all below but the run",
        *(f"  parameter    {key}: {format_value(value)}" for key, value in recorded.items() if key not in changed),
        *(
            f"  parameter    {key}: {format_value(value)}, here {format_value(now.get(key))}"
            for key, value in changed.items()
        ),
        f"  data         {parts['data']}, {compare(parts['data'], sha256_file(data) if data.is_file() else None)}",
        f"  manifest     {origin.manifest or 'not recorded'}, of the data it was scored on",
        f"  code         {parts['code']}, {compare(parts['code'], here['code'])}",
        *(
            f"  library      {name} {version}, {compare(version, here['environment'].get(name))}"
            for name, version in parts["environment"].items()
        ),
        f"  commit       {origin.commit or 'no repository'}",
        f"  run          {origin.run_id or 'not tracked'}, experiment {origin.experiment}",
        *(f"  {name:<11}  {value}" for name, value in origin.machine.items()),
        *(f"  file         {name}: {value}" for name, value in origin.files.items()),
        f"back: pixelwise release find {origin.fingerprint[:12]}; next: pixelwise reproduce {origin.reference}",
    )


def compare(recorded: str, here: str | None) -> str:
    """Compare a recorded value with this checkout's, None where it has none; return the result as text."""
    if here is None:
        return "none here"
    return "the same here" if here == recorded else f"here {here}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise why` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
