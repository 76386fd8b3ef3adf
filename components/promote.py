"""Promote a model: the challenger becomes champion where the release gate allows it.

The next run completes an interrupted one (pixelwise/registry/champion_change.py).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pixelwise import command
from pixelwise.errors import RegistryError
from pixelwise.families import find_options
from pixelwise.families.exported import find_family_on_command_line
from pixelwise.registry.champion_change import ROLLED_BACK_TAG, apply_change, finish_pending_change, record_decision
from pixelwise.registry.evidence import WATCHED_FILE, read_disagreement
from pixelwise.registry.ledger import LEDGER
from pixelwise.registry.limits import ReleaseParams
from pixelwise.registry.names import complete_name
from pixelwise.registry.registration import load_evidence
from pixelwise.registry.release_gate import Check, Decision, check_disagreement, decide
from pixelwise.registry.versions import CHALLENGER, CHAMPION, ONNX_TAG, read_aliases
from pixelwise.reporting.release_papers import write_papers
from pixelwise.tracking.store import connect, redact_uri, resolve_store_uri, translate_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

WATCHED = Path("reports/watch") / WATCHED_FILE
Outcome = Literal["promoted", "refused", "unchanged"]


@dataclass(frozen=True)
class Promotion:
    """The outcome for the challenger. version: the one judged, or the champion where there was no challenger."""

    name: str
    version: str
    outcome: Outcome
    decision: Decision

    @property
    def failure(self) -> str | None:
        """Why the command ends with status 1; None where it succeeds."""
        if self.outcome != "refused":
            return None
        return f"{self.name} version {self.version}: refused: {self.decision.failures}"

    def __str__(self) -> str:
        if self.outcome == "unchanged":
            return f"{self.name}: version {self.version} is the champion, and there is no challenger"
        verdict = "is now the champion" if self.outcome == "promoted" else "is not promoted"
        return f"{self.name}: version {self.version} {verdict}\n{self.decision}"


def run(
    params: ReleaseParams,
    name: Annotated[str, "name of the model in the registry"],
    ledger: Annotated[Path, "file to which each promotion adds one JSON line, as to the ledger of the store"] = LEDGER,
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
    watched: Annotated[Path, "watch.json of `pixelwise watch`, read for shadow_disagreement_limit"] = WATCHED,
) -> Promotion:
    """Judge the challenger by the evidence registered with the versions; promote it where every check passes.

    A promotion moves the alias `previous` to the champion, the alias `champion` to the challenger, and adds an entry to
    the ledger. The model card and the data card are stored with the version. Without a challenger nothing changes.
    Raises RegistryError where `name` has neither challenger nor champion, or the store fails.
    """
    uri, name = resolve_store_uri(tracking), complete_name(name)
    client = connect(uri)
    with translate_errors(uri):
        if (pending := finish_pending_change(client, name, ledger)) and pending["act"] == "promotion":
            write_papers(client, pending)
        aliases = read_aliases(client, name)
        champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
        if challenger is None and champion is None:
            state = f"{redact_uri(uri)} has neither challenger nor champion"
            raise RegistryError(f"{name}: {state}; run pixelwise register first")
        if challenger is None or challenger == champion:
            return Promotion(name, str(champion), "unchanged", Decision(()))
        decision = judge(client, name, challenger, champion, params, watched)
        if not decision.promote:
            return Promotion(name, challenger, "refused", decision)
        checks = [asdict(check) for check in decision.checks]
        entry = record_decision(client, name, "promotion", challenger, champion, checks=checks)
        apply_change(client, entry, ledger)
        write_papers(client, entry)
    return Promotion(name, challenger, "promoted", decision)


def judge(
    client: "MlflowClient", name: str, challenger: str, champion: str | None, params: ReleaseParams, watched: Path
) -> Decision:
    """Return the gate's decision on the evidence of both versions; a challenger that was rolled back before fails."""
    rival = None if champion is None else load_evidence(client, name, champion)
    checks = list(decide(load_evidence(client, name, challenger), rival, params).checks)
    tags = client.get_model_version(name, challenger).tags
    if champion is not None and params.shadow_disagreement_limit is not None:
        served = client.get_model_version(name, champion).tags[ONNX_TAG]
        found = read_disagreement(watched, served, tags[ONNX_TAG])
        checks.append(check_disagreement(found, params.shadow_disagreement_limit))
    if since := tags.get(ROLLED_BACK_TAG):
        checks.append(Check("never rolled back", False, f"rolled back at {since}", "another version"))
    return Decision(tuple(checks))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line. The family decides which limits there are."""
    with command.report_errors():
        command.main(run, "{name}.release", argv, find_options(find_family_on_command_line(argv)).ReleaseParams)


if __name__ == "__main__":
    main()
