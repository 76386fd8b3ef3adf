"""Lineage: the parameters, data, code and environment that a model version was made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.documents import read_json
from pixelwise.errors import ModelError, RegistryError
from pixelwise.identity import compute_fingerprint
from pixelwise.model_folder import MODEL_FILE, ModelFolder
from pixelwise.registry.references import find_referenced_version, read_file_hashes, resolve_model
from pixelwise.registry.versions import FILES_TAG
from pixelwise.tracking.runs import read_run
from pixelwise.tracking.sender import find_run
from pixelwise.tracking.store import connect_existing, resolve_store_uri, translate_errors

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class Origin:
    """The inputs and the files of a model version.

    parts: the parameters in full, the hashes of the data (dataset.json) and of the imported code, and the library
    versions as `environment`. fingerprint: hash of the family and these parts. manifest: hash of the manifest of the
    data that the version was scored on; None if that data was not prepared. commit: the commit at the start of the
    training, with -dirty if tracked files differed. machine: facts that decide the last bits of the weights, such as
    threads. start: `family` and run.json of the model that the training started from; None if there was none. folder:
    the files as registered. files: their hashes by path.
    """

    reference: str
    name: str
    version: str
    family: str
    fingerprint: str
    parts: Mapping[str, Any]
    manifest: str | None
    run_id: str | None
    experiment: str
    commit: str
    machine: Mapping[str, Any]
    start: Mapping[str, Any] | None
    folder: Path
    files: Mapping[str, str]


def read_origin(reference: str, tracking: str | None = None) -> Origin:
    """Read the origin of the version that `reference` names; its files and its fingerprint are checked.

    Raises RegistryError where the version does not exist, its files do not name their origin, or an earlier version of
    Pixelwise wrote them; ModelError where a file or the fingerprint differs from the registered one.
    """
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    folder = resolve_model(reference, uri)
    with translate_errors(uri):
        version = find_referenced_version(client, reference)
        run_id = find_run(client, version.run_id) if version.run_id else None
    model = ModelFolder(folder)
    if not (description := model.checkpoint / MODEL_FILE).is_file():
        where = description.relative_to(folder)
        raise RegistryError(f"{reference}: registered without {where}, expected this file to name the origin")
    model_facts, trained = read_json(description, "what `pixelwise train` writes"), read_run(model.run)
    run_facts = read_json(model.run, "what `pixelwise train` writes")
    fingerprint = compute_fingerprint({"family": model_facts["family"], **trained["parts"]})
    if fingerprint != trained["fingerprint"]:
        raise ModelError(f"{reference}: found parts with fingerprint {fingerprint}, expected {trained['fingerprint']}")
    if not isinstance(trained["parts"]["environment"], Mapping):
        raise RegistryError(f"{reference}: found one hash as environment, expected library versions; train it again")
    return Origin(
        reference=reference,
        name=version.name,
        version=str(version.version),
        family=model_facts["family"],
        fingerprint=trained["fingerprint"],
        parts=trained["parts"],
        manifest=version.tags.get("manifest_sha256") or None,
        run_id=run_id,
        experiment=trained["experiment"],
        commit=run_facts.get("git_commit") or version.tags.get("git_commit", ""),
        machine=run_facts.get("machine", {}),
        start=run_facts.get("start"),
        folder=folder,
        files=read_file_hashes(version),
    )


def list_origin_facts(version: "ModelVersion") -> Iterator[tuple[str, str]]:
    """(name, value) of the facts about a version's origin: run, tags and file hashes."""
    yield "run", str(version.run_id or "")
    yield from ((name, value) for name, value in sorted(version.tags.items()) if name != FILES_TAG)
    yield from read_file_hashes(version).items()
