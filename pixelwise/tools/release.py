"""Releases: show what is or was in production, roll back to the previous version, find model versions by a hash."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pixelwise import command
from pixelwise.errors import ParamsError, RegistryError
from pixelwise.registry.ledger import (
    ENTRY_TAG,
    LEDGER,
    ChampionPeriod,
    Entry,
    list_champion_periods,
    merge_entries,
    read_ledger,
    read_shared_entries,
)
from pixelwise.registry.lineage import list_origin_facts
from pixelwise.registry.names import complete_name, read_prefix, search_models
from pixelwise.registry.registration import load_cards
from pixelwise.registry.rollback import roll_back
from pixelwise.registry.versions import (
    CHALLENGER,
    CHAMPION,
    ONNX_TAG,
    PREVIOUS,
    find_model,
    read_aliases,
    read_version_tags,
)
from pixelwise.tracking.store import connect_existing, print_notice, redact_uri, resolve_store_uri, translate_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import RegisteredModel

ALIASES = (CHAMPION, PREVIOUS, CHALLENGER)
LEAST_HASH = 6
Ledger = Annotated[Path, "file with the entries of this checkout, one JSON line for each change of the champion"]
Tracking = Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"]


@dataclass(frozen=True)
class Lines:
    """The lines to print."""

    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)


def show(
    names: Annotated[Sequence[str], "models in the registry (default: all)"] = (),
    on: Annotated[str | None, "day (UTC) such as 2026-11-25 (default: now)"] = None,
    ledger: Ledger = LEDGER,
    tracking: Tracking = None,
    card: Annotated[bool, "print the model card and the data card of the champions of today"] = False,
) -> Lines:
    """Show from the ledger which version was in production on a day, since when and with which evidence.

    Without a day: show the versions of the aliases, all champions so far, and where ledger and registry disagree. The
    ledger is that of the registry with the lines that only this checkout has. With --card: print the model card and the
    data card that the promotion stored. For a day, the file alone serves where
    the registry does not answer.

    Raises ParamsError where the day is invalid or in the future, RegistryError where the ledger is broken or a model
    unknown.
    """
    uri, local = resolve_store_uri(tracking), read_ledger(ledger)
    names = [complete_name(name) for name in names]
    if on is not None:
        return show_day(names, parse_day(on), local, uri)
    client = connect_existing(uri)
    with translate_errors(uri):
        entries = merge_entries(read_shared_entries(client), local)
        models = sorted({model.name for model in search_models(client)} | {entry["name"] for entry in entries})
        if unknown := [name for name in names if name not in models]:
            raise RegistryError(
                f"{unknown[0]}: {redact_uri(uri)} has no such model, expected one of: {', '.join(models)}"
            )
        describe = show_cards if card else describe_present
        shown = [line for name in names or models for line in describe(client, name, entries)]
    return Lines(tuple(shown or [f"{redact_uri(uri)}: no model is registered"]))


def show_day(names: Sequence[str], day: date, local: Sequence[Entry], uri: str) -> Lines:
    """Show the champions of one day, from the ledger of the registry and the entries of this checkout."""
    try:
        client = connect_existing(uri)
        with translate_errors(uri):
            entries = merge_entries(read_shared_entries(client), local)
    except RegistryError as error:
        print_notice(f"{error}; this is from the ledger of this checkout alone")
        entries = merge_entries(local)
    models = names or sorted({entry["name"] for entry in entries})
    if not models:
        return Lines((f"the ledger has no entry, so nothing was in production on {day}",))
    return Lines(
        tuple(line for name in models for line in describe_day(name, day, list_champion_periods(entries, name)))
    )


def parse_day(on: str) -> date:
    """Parse a day. Raises ParamsError where `on` is no day or lies in the future."""
    try:
        day = date.fromisoformat(on)
    except ValueError:
        raise ParamsError(f"--on: found {on!r}, expected a day such as 2026-11-25") from None
    if day > datetime.now(UTC).date():
        raise ParamsError(f"--on: found {day}, expected a day that is not in the future")
    return day


def describe_day(name: str, day: date, periods: Sequence[ChampionPeriod]) -> list[str]:
    """Describe the champions of one day."""
    champions = [period for period in periods if period.covers(day)]
    if not champions:
        return [f"{name} on {day}: nothing was in production"]
    return [
        line
        for period in champions
        for line in (f"{name} on {day}: {describe_period(period)}", *list_evidence(period.entry))
    ]


def show_cards(client: "MlflowClient", name: str, entries: Sequence[Entry]) -> list[str]:  # noqa: ARG001 - as describe_present
    """List the cards of a model's champion; nothing where it has no champion."""
    champion = read_aliases(client, name).get(CHAMPION)
    return load_cards(client, name, champion) if champion else []


def describe_period(period: ChampionPeriod) -> str:
    """Describe a period: `version 2, 2026-11-25 13:00:00 to now UTC, by promotion over version 1`."""
    until = f"{period.until:%Y-%m-%d %H:%M:%S}" if period.until else "now"
    act, previous = period.entry.get("act", "promotion"), period.entry["previous"]
    how = f"{act} {'from' if act == 'rollback' else 'over'} version {previous}" if previous else f"{act}, the first"
    return f"version {period.entry['version']}, {period.since:%Y-%m-%d %H:%M:%S} to {until} UTC, by {how}"


def list_evidence(entry: Entry) -> list[str]:
    """List the checks of a ledger entry, and the fingerprint and hash that identify the model."""
    checks = [f"  {check['name']}: {check['found']} (needed: {check['needed']})" for check in entry.get("checks", ())]
    return [*checks, f"  fingerprint {entry['fingerprint']}", f"  ONNX sha256 {entry[ONNX_TAG]}"]


def describe_present(client: "MlflowClient", name: str, entries: Sequence[Entry]) -> list[str]:
    """List a model's aliases, its champions so far, and where ledger and registry disagree."""
    model, periods = find_model(client, name), list_champion_periods(entries, name)
    aliases = read_aliases(client, name)
    lines = [f"{name}:", *(f"  {alias}: version {aliases.get(alias, 'none')}" for alias in ALIASES)]
    lines += [f"  {describe_period(period)}{describe_place(period, model)}" for period in periods]
    if periods:
        lines += list_evidence(periods[-1].entry)
    return [*lines, *(f"  DISAGREE: {words}" for words in list_disagreements(client, name, aliases, periods))]


def describe_place(period: ChampionPeriod, model: "RegisteredModel | None") -> str:
    """Say where the entry of a period is, if only this checkout has it."""
    is_shared = model is not None and f"{ENTRY_TAG}{period.entry.get('id')}" in model.tags
    return "" if is_shared else ", by the ledger of this checkout alone"


def list_disagreements(
    client: "MlflowClient", name: str, aliases: Mapping[str, str], periods: Sequence[ChampionPeriod]
) -> list[str]:
    """List the differences between the registry and the ledger."""
    champion, recorded = aliases.get(CHAMPION), periods[-1].entry if periods else None
    if recorded is None:
        return [f"the registry's champion is version {champion}, the ledger has no entry"] if champion else []
    tags = read_version_tags(client, name, recorded["version"])
    if champion != recorded["version"]:
        gone = ", which was deleted" if tags is None else ""
        return [f"the registry's champion is version {champion}, the ledger's {recorded['version']}{gone}"]
    registered = (tags or {}).get(ONNX_TAG)
    if registered != recorded[ONNX_TAG]:
        return [f"version {champion}: ONNX sha256 {registered} in the registry, {recorded[ONNX_TAG]} in the ledger"]
    return []


def rollback(
    names: Annotated[Sequence[str], "models in the registry"],
    ledger: Ledger = LEDGER,
    tracking: Tracking = None,
) -> Lines:
    """Make the previous version champion again. The replaced version gets the tag `rolled_back`: the gate refuses it
    until that tag is removed.

    Where the champion or the previous version was deleted by hand, the ledger's last champion that is still there takes
    its place. Repeating the command completes an interrupted rollback. Raises RegistryError where there is no previous
    version, ModelError where the files of that version are not those registered.
    """
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        return Lines(tuple(describe_rollback(roll_back(client, complete_name(name), ledger)) for name in names))


def describe_rollback(entry: Entry) -> str:
    """Describe a rollback by its entry in the ledger."""
    replaced = f" instead of version {entry['previous']}" if entry["previous"] else ""
    return f"{entry['name']}: version {entry['version']} is the champion again{replaced}"


def find(
    hashes: Annotated[Sequence[str], "hash, or the start of one: fingerprint, data, code, graph or run"],
    tracking: Tracking = None,
) -> Lines:
    """Find the versions of this project's models that were made from a given run, parameters, data, code or file.

    Raises ParamsError where a hash is too short, RegistryError where no version has any of them.
    """
    if short := [prefix for prefix in hashes if len(prefix) < LEAST_HASH]:
        raise ParamsError(f"hash {short[0]!r}: found {len(short[0])} digits, expected at least {LEAST_HASH}")
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        prefix = read_prefix()
        versions = [one for one in client.search_model_versions() if one.name.startswith(prefix)]
    lines = [
        f"models:/{version.name}/{version.version}: {kind} {value}"
        for version in sorted(versions, key=lambda version: (version.name, int(version.version)))
        for kind, value in list_origin_facts(version)
        if any(value.startswith(prefix) for prefix in hashes)
    ]
    if not lines:
        raise RegistryError(f"{redact_uri(uri)}: found no version with {' or '.join(hashes)}")
    return Lines(tuple(lines))


ACTS: dict[str, command.Run] = {"show": show, "rollback": rollback, "find": find}


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise release ACT` from the command line."""
    options = argparse.ArgumentParser(prog="pixelwise release", description=__doc__, add_help=True)
    options.add_argument("act", choices=ACTS, help="`pixelwise release ACT --help` lists the options")
    arguments = list(sys.argv[1:] if argv is None else argv)
    command.main(ACTS[options.parse_args(arguments[:1]).act], argv=arguments[1:])


if __name__ == "__main__":
    main()
