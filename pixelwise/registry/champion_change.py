"""Change of the champion in two phases: record the decision, then apply it, which may be interrupted and repeated.

The decision is stored as a tag of the registered model first. Then the aliases move, the ledger gets its line and the
tag is deleted. Every command that finds the tag first finishes the pending change.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pixelwise.registry.ledger import append_once
from pixelwise.registry.versions import CHALLENGER, CHAMPION, ONNX_TAG, PREVIOUS, move_alias, read_aliases

if TYPE_CHECKING:
    from mlflow import MlflowClient

PENDING_TAG = "pending_change"
ROLLED_BACK_TAG = "rolled_back"
Act = Literal["promotion", "rollback"]


def record_decision(
    client: "MlflowClient", name: str, act: Act, version: str, previous: str | None, **facts: Any
) -> dict[str, Any]:
    """Record the decision that `version` replaces `previous` as champion; returns the ledger entry."""
    tags = client.get_model_version(name, version).tags
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "act": act,
        "name": name,
        "version": version,
        "previous": previous,
        "fingerprint": tags.get("fingerprint"),
        ONNX_TAG: tags.get(ONNX_TAG),
        **facts,
    }
    client.set_registered_model_tag(name, PENDING_TAG, json.dumps(entry))
    return entry


def finish_pending_change(client: "MlflowClient", name: str, ledger: Path) -> dict[str, Any] | None:
    """Apply a recorded change that was interrupted; returns its ledger entry, None if there is none.

    The change is dropped if the champion has changed since, because it was decided against another champion.
    """
    aliases = read_aliases(client, name)
    # Without an alias there was never a decision, and the model may not exist.
    pending = client.get_registered_model(name).tags.get(PENDING_TAG) if aliases else None
    if pending is None:
        return None
    entry: dict[str, Any] = json.loads(pending)
    if aliases.get(CHAMPION) not in (entry["previous"], entry["version"]):
        client.delete_registered_model_tag(name, PENDING_TAG)
        return None
    apply_change(client, entry, ledger)
    return entry


def apply_change(client: "MlflowClient", entry: dict[str, Any], ledger: Path) -> None:
    """Move the aliases and append to the ledger. Every operation is idempotent; the last one deletes the tag."""
    name, version, replaced = entry["name"], entry["version"], entry["previous"]
    if entry["act"] == "rollback":
        # The tag keeps the gate from promoting the same version again.
        client.set_model_version_tag(name, replaced, ROLLED_BACK_TAG, entry["time"])
    move_alias(client, name, CHAMPION, version)
    append_once(ledger, entry)
    aliases = read_aliases(client, name)
    previous = replaced if entry["act"] == "promotion" else None
    if aliases.get(PREVIOUS) != previous:
        move_alias(client, name, PREVIOUS, previous)
    if aliases.get(CHALLENGER) == version:
        move_alias(client, name, CHALLENGER, None)
    client.delete_registered_model_tag(name, PENDING_TAG)
