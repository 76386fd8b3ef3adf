"""Change of the champion in two phases: record the decision, then apply it, which may be interrupted and repeated.

The decision is stored first, as a tag of the registered model with a key of its own: two writers never overwrite each
other's. Then the aliases move, the ledger gets its entry and the tag is deleted. Every command that finds the tag first
finishes the pending change.
"""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pixelwise.registry.ledger import append_once, share_entry
from pixelwise.registry.versions import (
    CHALLENGER,
    CHAMPION,
    ONNX_TAG,
    PREVIOUS,
    find_model,
    move_alias,
    read_aliases,
    read_version_tags,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

PENDING_TAG = "pending_change."
ROLLED_BACK_TAG = "rolled_back"
Act = Literal["promotion", "rollback"]


def record_decision(
    client: "MlflowClient", name: str, act: Act, version: str, previous: str | None, **facts: Any
) -> dict[str, Any]:
    """Record the decision that `version` replaces `previous` as champion; returns the ledger entry."""
    tags, now = client.get_model_version(name, version).tags, datetime.now(UTC)
    entry = {
        # In the order of time, as MLflow lists tags.
        "id": f"{now:%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}",
        "time": now.isoformat(timespec="microseconds"),
        "act": act,
        "name": name,
        "version": version,
        "previous": previous,
        "fingerprint": tags.get("fingerprint"),
        ONNX_TAG: tags.get(ONNX_TAG),
        **facts,
    }
    client.set_registered_model_tag(name, f"{PENDING_TAG}{entry['id']}", json.dumps(entry))
    return entry


def finish_pending_change(client: "MlflowClient", name: str, ledger: Path) -> dict[str, Any] | None:
    """Apply the recorded changes that were interrupted; returns the ledger entry of the last, None if there is none.

    A change is dropped if the champion has changed since, because it was decided against another champion.
    """
    model, finished = find_model(client, name), None
    decisions = {tag: value for tag, value in model.tags.items() if tag.startswith(PENDING_TAG)} if model else {}
    for tag, decision in sorted(decisions.items()):
        entry: dict[str, Any] = json.loads(decision)
        if read_aliases(client, name).get(CHAMPION) in (entry["previous"], entry["version"]):
            apply_change(client, entry, ledger)
            finished = entry
        else:
            client.delete_registered_model_tag(name, tag)
    return finished


def apply_change(client: "MlflowClient", entry: dict[str, Any], ledger: Path) -> None:
    """Move the aliases and enter the change in the ledger: with the model, and in the file `ledger` of the checkout.

    Every operation is idempotent; the last one deletes the decision.
    """
    name, version, replaced = entry["name"], entry["version"], entry["previous"]
    if entry["act"] == "rollback" and replaced and read_version_tags(client, name, replaced) is not None:
        # The tag keeps the gate from promoting the same version again.
        client.set_model_version_tag(name, replaced, ROLLED_BACK_TAG, entry["time"])
    move_alias(client, name, CHAMPION, version)
    share_entry(client, entry)
    append_once(ledger, entry)
    aliases = read_aliases(client, name)
    previous = (replaced or aliases.get(PREVIOUS)) if entry["act"] == "promotion" else None
    if aliases.get(PREVIOUS) != previous:
        move_alias(client, name, PREVIOUS, previous)
    if aliases.get(CHALLENGER) == version:
        move_alias(client, name, CHALLENGER, None)
    client.delete_registered_model_tag(name, f"{PENDING_TAG}{entry['id']}")
