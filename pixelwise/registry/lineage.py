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
    """What a model version was made of. `parts`: parameters in full, hashes of data (its dataset.json) and code (what
    the training imported), versions of the libraries as environment. `fingerprint` is over the family and these.

    manifest: hash of the manifest of the data that it was scored on, None where that was not prepared. commit: checked
    out as training began, with -dirty where tracked files differed. machine: what the bits of the weights also hang on.
    start: `family` and run.json of the model that the training started from, None if it started from none. folder: its
    files, each as registered, their hashes by path in `files`.
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
    """What the version that `reference` names was made of, its files and its fingerprint checked.

    Raises RegistryError where there is no such version, its files do not say, or an earlier version of Pixelwise wrote
    them; ModelError where they are not the registered ones or do not add up.
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
        raise RegistryError(f"{reference}: registered without {where}, expected it to say the origin")
    described, trained = read_json(description, "what `pixelwise train` writes"), read_run(model.run)
    made_of = read_json(model.run, "what `pixelwise train` writes")
    found = compute_fingerprint({"family": described["family"], **trained["parts"]})
    if found != trained["fingerprint"]:
        raise ModelError(f"{reference}: parts with fingerprint {found}, expected {trained['fingerprint']}")
    if not isinstance(trained["parts"]["environment"], Mapping):
        raise RegistryError(f"{reference}: environment is one hash, expected library versions; train it again")
    return Origin(
        reference=reference,
        name=version.name,
        version=str(version.version),
        family=described["family"],
        fingerprint=trained["fingerprint"],
        parts=trained["parts"],
        manifest=version.tags.get("manifest_sha256") or None,
        run_id=run_id,
        experiment=trained["experiment"],
        commit=made_of.get("git_commit") or version.tags.get("git_commit", ""),
        machine=made_of.get("machine", {}),
        start=made_of.get("start"),
        folder=folder,
        files=read_file_hashes(version),
    )


def list_origin_facts(version: "ModelVersion") -> Iterator[tuple[str, str]]:
    """(name, value) of the facts about a version's origin: run, tags and file hashes."""
    yield "run", str(version.run_id or "")
    yield from ((name, value) for name, value in sorted(version.tags.items()) if name != FILES_TAG)
    yield from read_file_hashes(version).items()
