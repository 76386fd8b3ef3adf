"""Register a model: its exported graphs and evidence become a version with the alias `challenger`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pixelwise import command
from pixelwise.documents import read_json
from pixelwise.errors import DataError
from pixelwise.inference.exported_models import identify, require_one_training
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.evidence import METRICS, list_evidence_files
from pixelwise.registry.names import complete_name
from pixelwise.registry.references import resolve_model_folder
from pixelwise.registry.registration import EVIDENCE, add_version, hash_model_files, nominate, save_files
from pixelwise.registry.versions import FILES_TAG, ONNX_TAG, find_version
from pixelwise.tracking.runs import read_run
from pixelwise.tracking.sender import find_run, send_unsent_runs
from pixelwise.tracking.store import connect, print_notice, read_git_commit, resolve_store_uri, translate_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Registration:
    """A model's version in the registry, whether it is new and whether it is the champion. asked: the name as given."""

    name: str
    version: str
    is_new: bool
    is_champion: bool
    asked: str

    def __str__(self) -> str:
        status = "registered" if self.is_new else "was registered before"
        if self.is_champion:
            return f"{self.name} version {self.version} {status} and is the champion: nothing to promote"
        return (
            f"{self.name} version {self.version} {status}; alias challenger\n"
            f"next: pixelwise promote --name {self.asked}"
        )


def run(
    name: Annotated[str, "name of the model in the registry"],
    model: Annotated[Path, "folder of the model: onnx/, export.json and checkpoint/; or models:/NAME@ALIAS"],
    evaluation: Annotated[Path, "folder with metrics.json and measurements.npz of this model"],
    benchmark: Annotated[Path | None, "folder with benchmark.json; without it the gate cannot check latency"] = None,
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> Registration:
    """Put the exported model in the registry and set the alias `challenger` to its version.

    Registering the same graphs again makes no second version: it renews the evidence of the version and makes it the
    challenger again, unless it is the champion.

    Raises DataError where a file is missing or the evaluation is another model's, RegistryError where the store fails.
    """
    uri, asked, name = resolve_store_uri(tracking), name, complete_name(name)
    model = resolve_model_folder(model, uri)
    require_one_training(model)
    files = list_evidence_files(model, evaluation, benchmark)
    identity = require_same_model(model, evaluation)
    trained = read_run(ModelFolder(model).run)
    client = connect(uri)
    send_unsent_runs(client, uri)
    with translate_errors(uri):
        version = registered = find_version(client, name, identity)
        if version is None:
            run_id = find_tracked_run(client, trained["run_id"])
            tags = {
                "fingerprint": trained["fingerprint"],
                ONNX_TAG: identity,
                FILES_TAG: json.dumps(hash_model_files(model)),
                **{f"{part}_sha256": str(trained["parts"].get(part, "")) for part in ("data", "code")},
                "environment": json.dumps(trained["parts"].get("environment", {})),
                "manifest_sha256": str(read_json(evaluation / METRICS, "scores of evaluate").get("data") or ""),
                "git_commit": read_git_commit(),
            }
            version = add_version(client, name, model, run_id=run_id, experiment=trained["experiment"], tags=tags)
        save_files(client, name, version, files, EVIDENCE)
        is_champion = nominate(client, name, version)
    return Registration(name, version, is_new=registered is None, is_champion=is_champion, asked=asked)


def require_same_model(model: Path, evaluation: Path) -> str:
    """Return the identity of `model`. Raises DataError where the evaluation scored other graphs."""
    scored, expected = read_json(evaluation / METRICS, "scores of evaluate").get("model_sha256"), identify(model)
    if scored != expected:
        raise DataError(
            f"{evaluation / METRICS}: found model_sha256 {scored}, expected {expected} of {model}; evaluate it again"
        )
    return expected


def find_tracked_run(client: "MlflowClient", run_id: str | None) -> str | None:
    """Return the id under which the store has the run `run_id`; print a notice and return None where it has none."""
    if run_id is not None and (stored_id := find_run(client, run_id)):
        return stored_id
    reason = "the training was not tracked" if run_id is None else f"the store has no run {run_id}"
    print_notice(f"{reason}; the version is linked to no run")
    return None


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
