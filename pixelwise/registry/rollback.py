"""Rollback: the previous version is champion again; where somebody deleted it by hand, the last that is still there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelwise.errors import RegistryError
from pixelwise.registry.champion_change import ROLLED_BACK_TAG, apply_change, finish_pending_change, record_decision
from pixelwise.registry.ledger import Entry, merge_entries, read_ledger, read_shared_entries
from pixelwise.registry.references import resolve_model
from pixelwise.registry.versions import CHAMPION, ONNX_TAG, PREVIOUS, read_aliases, read_version_tags
from pixelwise.tracking.store import redact_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient


def roll_back(client: "MlflowClient", name: str, ledger: Path) -> Entry:
    """Roll the model `name` back, or finish a rollback that was interrupted; returns its entry in the ledger.

    Raises RegistryError where there is no previous version, ModelError where its files are not those registered.
    """
    entry = finish_pending_change(client, name, ledger)
    if entry is None or entry["act"] != "rollback":
        aliases = read_aliases(client, name)
        merged = merge_entries(read_shared_entries(client), read_ledger(ledger))
        entries = [one for one in merged if one["name"] == name]
        target = find_target(client, name, aliases, entries)
        resolve_model(f"models:/{name}/{target}", client.tracking_uri)
        replaced, checks = find_replaced(aliases, entries, target), find_checks(entries, target)
        entry = record_decision(client, name, "rollback", target, replaced, checks=checks)
        apply_change(client, entry, ledger)
    return entry


def find_target(client: "MlflowClient", name: str, aliases: Mapping[str, str], entries: Sequence[Entry]) -> str:
    """The version to roll back to: that of the alias `previous`; where something was deleted, what is still there.

    entries: the ledger of the model `name`, oldest first. Raises RegistryError where there is no such version.
    """
    if PREVIOUS in aliases:
        return aliases[PREVIOUS]
    champion = aliases.get(CHAMPION)
    if champion is None or lost_previous(entries):
        for entry in reversed(entries):
            if entry["version"] != champion and is_there(client, entry):
                return str(entry["version"])
    stays = f"version {champion} stays champion" if champion else "there is no champion"
    raise RegistryError(f"{name}: found no previous version to roll back to; {stays}{describe_loss(client, entries)}")


def find_replaced(aliases: Mapping[str, str], entries: Sequence[Entry], target: str) -> str | None:
    """The version that the rollback to `target` replaces: the champion, else the last one of the ledger."""
    champion = aliases.get(CHAMPION) or (str(entries[-1]["version"]) if entries else None)
    return champion if champion != target else None


def lost_previous(entries: Sequence[Entry]) -> bool:
    """Whether a version without the alias `previous` should have it: after a rollback none has."""
    return bool(entries) and entries[-1].get("act") == "promotion" and entries[-1]["previous"] is not None


def is_there(client: "MlflowClient", entry: Entry) -> bool:
    """Whether the version of a ledger entry is still there, with the same graphs, and was not rolled back."""
    tags = read_version_tags(client, entry["name"], entry["version"])
    return tags is not None and tags.get(ONNX_TAG) == entry[ONNX_TAG] and ROLLED_BACK_TAG not in tags


def find_checks(entries: Sequence[Entry], version: str) -> list[Any]:
    """The checks of a version's last entry, which are its evidence again after a rollback."""
    mine = [entry for entry in entries if entry["version"] == version]
    return list(mine[-1].get("checks", ())) if mine else []


def describe_loss(client: "MlflowClient", entries: Sequence[Entry]) -> str:
    """Say what the ledger's last champion was, if it is not in the registry any more."""
    if not entries or read_version_tags(client, entries[-1]["name"], entries[-1]["version"]) is not None:
        return ""
    last = entries[-1]
    return (
        f". The ledger's last, version {last['version']} of {last['time'][:10]}, is not in "
        f"{redact_uri(client.tracking_uri)} any more; register the model again: pixelwise register --name "
        f"{last['name']} …"
    )
