"""A change of the champion: decided once, then carried out to its end however often it is cut.

The decision is kept as a tag of the registered model before anything moves; then the aliases move, the ledger gets its
line, and the tag goes. Whoever finds the tag carries the change out before anything else.
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
    """The line for the ledger that makes `version` champion in the place of `previous`, kept: it is decided now."""
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
    """Carry out to its end a change that was decided before and then cut; its line, None where there is none.

    One whose champion has changed hands since is dropped: what it was decided against is gone.
    """
    aliases = read_aliases(client, name)
    # Without an alias nothing was ever decided, and there may be no such model.
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
    """Move the aliases and add the line. Each act may be repeated; the last removes what asks for a repetition."""
    name, version, replaced = entry["name"], entry["version"], entry["previous"]
    if entry["act"] == "rollback":
        # So that the gate does not promote the same version again the next night.
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
