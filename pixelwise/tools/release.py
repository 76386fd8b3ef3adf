"""Releases: show what is or was in production, roll back to the previous version, find model versions by a hash."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pixelwise import command
from pixelwise.errors import ParamsError, RegistryError
from pixelwise.registry.champion_change import apply_change, finish_pending_change, record_decision
from pixelwise.registry.ledger import ChampionPeriod, list_champion_periods, read_ledger
from pixelwise.registry.lineage import list_origin_facts
from pixelwise.registry.references import resolve_model
from pixelwise.registry.versions import CHALLENGER, CHAMPION, ONNX_TAG, PREVIOUS, list_models, read_aliases
from pixelwise.tracking.store import connect_existing, redact_uri, resolve_store_uri, translate_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIASES = (CHAMPION, PREVIOUS, CHALLENGER)
LEDGER = Path("promotions.jsonl")
LEAST_HASH = 6
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
    ledger: Annotated[Path, "ledger, with one JSON line for each change of the champion"] = LEDGER,
    tracking: Tracking = None,
) -> Lines:
    """Show from the ledger which version was in production on a day, since when and with which evidence.

    Without a day: show the versions of the aliases, all champions so far, and where ledger and registry disagree.
    Raises ParamsError where the day is invalid or in the future, RegistryError where the ledger is broken or a model
    unknown.
    """
    entries = read_ledger(ledger)
    if on is not None:
        day = parse_day(on)
        models = names or sorted({entry["name"] for entry in entries})
        if not models:
            return Lines((f"{ledger}: no line, so nothing was in production on {day}",))
        return Lines(
            tuple(line for name in models for line in describe_day(name, day, list_champion_periods(entries, name)))
        )
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        models = list_models(client)
        if unknown := [name for name in names if name not in models]:
            raise RegistryError(
                f"{unknown[0]}: {redact_uri(uri)} has no such model, expected one of: {', '.join(models)}"
            )
        return Lines(
            tuple(
                line
                for name in names or models
                for line in describe_present(client, name, list_champion_periods(entries, name))
            )
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


def describe_period(period: ChampionPeriod) -> str:
    """Describe a period: `version 2, 2026-11-25 13:00:00 to now UTC, by promotion over version 1`."""
    until = f"{period.until:%Y-%m-%d %H:%M:%S}" if period.until else "now"
    act, previous = period.entry.get("act", "promotion"), period.entry["previous"]
    how = f"{act} {'from' if act == 'rollback' else 'over'} version {previous}" if previous else f"{act}, the first"
    return f"version {period.entry['version']}, {period.since:%Y-%m-%d %H:%M:%S} to {until} UTC, by {how}"


def list_evidence(entry: Mapping[str, Any]) -> list[str]:
    """List the checks of a ledger entry, and the fingerprint and hash that identify the model."""
    checks = [f"  {check['name']}: {check['found']} (needed: {check['needed']})" for check in entry.get("checks", ())]
    return [*checks, f"  fingerprint {entry['fingerprint']}", f"  ONNX sha256 {entry[ONNX_TAG]}"]


def describe_present(client: "MlflowClient", name: str, periods: Sequence[ChampionPeriod]) -> list[str]:
    """List a model's aliases, its champions so far, and where ledger and registry disagree."""
    aliases = read_aliases(client, name)
    lines = [f"{name}:", *(f"  {alias}: version {aliases.get(alias, 'none')}" for alias in ALIASES)]
    lines += [f"  {describe_period(period)}" for period in periods]
    if periods:
        lines += list_evidence(periods[-1].entry)
    return [*lines, *(f"  DISAGREE: {words}" for words in list_disagreements(client, name, aliases, periods))]


def list_disagreements(
    client: "MlflowClient", name: str, aliases: dict[str, str], periods: Sequence[ChampionPeriod]
) -> list[str]:
    """List the differences between the registry and the ledger."""
    champion, recorded = aliases.get(CHAMPION), periods[-1].entry if periods else None
    if recorded is None:
        return [f"the registry's champion is version {champion}, the ledger has no line"] if champion else []
    if champion != recorded["version"]:
        return [f"the registry's champion is version {champion}, the ledger's {recorded['version']}"]
    registered = client.get_model_version(name, champion).tags.get(ONNX_TAG)
    if registered != recorded[ONNX_TAG]:
        return [f"version {champion}: ONNX sha256 {registered} in the registry, {recorded[ONNX_TAG]} in the ledger"]
    return []


def rollback(
    names: Annotated[Sequence[str], "models in the registry"],
    ledger: Annotated[Path, "ledger, to which the rollback adds one JSON line"] = LEDGER,
    tracking: Tracking = None,
) -> Lines:
    """Make the previous version champion again. The replaced version gets the tag `rolled_back`: the gate refuses it
    until that tag is removed.

    Repeating the command completes an interrupted rollback. Raises RegistryError where there is no previous version,
    ModelError where the files of that version are not those registered.
    """
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        return Lines(tuple(roll_back(client, name, ledger, uri) for name in names))


def roll_back(client: "MlflowClient", name: str, ledger: Path, uri: str) -> str:
    """Roll one model back; return a line about it."""
    entry = finish_pending_change(client, name, ledger)
    if entry is None or entry["act"] != "rollback":
        aliases = read_aliases(client, name)
        if PREVIOUS not in aliases or CHAMPION not in aliases:
            stays = f"version {aliases[CHAMPION]} stays champion" if CHAMPION in aliases else "there is no champion"
            raise RegistryError(f"{name}: found no previous version to roll back to; {stays}")
        resolve_model(f"models:/{name}@{PREVIOUS}", uri)
        checks = find_checks(read_ledger(ledger), name, aliases[PREVIOUS])
        entry = record_decision(client, name, "rollback", aliases[PREVIOUS], aliases[CHAMPION], checks=checks)
        apply_change(client, entry, ledger)
    return f"{name}: version {entry['version']} is the champion again, version {entry['previous']} is rolled back"


def find_checks(entries: Sequence[Mapping[str, Any]], name: str, version: str) -> list[Any]:
    """Return the checks of a version's last ledger entry, which are its evidence again after a rollback."""
    mine = [entry for entry in entries if (entry["name"], entry["version"]) == (name, version)]
    return list(mine[-1].get("checks", ())) if mine else []


def find(
    hashes: Annotated[Sequence[str], "hash, or the start of one: fingerprint, data, code, graph or run"],
    tracking: Tracking = None,
) -> Lines:
    """Find the model versions that were made from a given run, parameters, data, code or file.

    Raises ParamsError where a hash is too short, RegistryError where no version has any of them.
    """
    if short := [prefix for prefix in hashes if len(prefix) < LEAST_HASH]:
        raise ParamsError(f"hash {short[0]!r}: found {len(short[0])} digits, expected at least {LEAST_HASH}")
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        versions = client.search_model_versions()
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
