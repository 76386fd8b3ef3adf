"""Promote a model: the challenger becomes champion where the release gate allows it.

Any cut is mended by running again. A decision to promote is first kept as a tag of the version; then the aliases move,
the ledger gets its line, and the tag goes. Whoever finds the tag carries the promotion out before anything else.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from components import step
from components.errors import RegistryError
from components.measures.gate import Decision, ReleaseParams, decide
from components.tracking.ledger import add_once
from components.tracking.registry import evidence_of
from components.tracking.store import connect, plain_errors, store_uri
from components.tracking.versions import CHALLENGER, CHAMPION, ONNX_TAG, PREVIOUS, move_alias, read_aliases

if TYPE_CHECKING:
    from mlflow import MlflowClient

PENDING_TAG = "promotion"
Outcome = Literal["promoted", "refused", "unchanged"]


@dataclass(frozen=True)
class Promotion:
    """What became of the challenger. `version` is the one judged, or the champion where there was no challenger."""

    name: str
    version: str
    outcome: Outcome
    decision: Decision

    def __str__(self) -> str:
        if self.outcome == "unchanged":
            return f"{self.name}: version {self.version} is the champion, and nothing challenges it"
        verdict = "is now the champion" if self.outcome == "promoted" else "is not promoted"
        return f"{self.name}: version {self.version} {verdict}\n{self.decision}"


def run(
    params: ReleaseParams,
    name: Annotated[str, "name of the model in the registry"],
    ledger: Annotated[Path, "file that gets one JSON line a promotion"] = Path("promotions.jsonl"),
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> Promotion:
    """Judge the challenger by the evidence registered with the versions; promote it where every check passes.

    Then the champion becomes previous, the challenger champion, and the ledger gets a line. Without a challenger
    nothing changes. Raises RegistryError where nothing is registered under `name` or the store fails.
    """
    uri = store_uri(tracking)
    client = connect(uri)
    with plain_errors(uri):
        finish_cut_promotion(client, name, ledger)
        aliases = read_aliases(client, name)
        champion, challenger = aliases.get(CHAMPION), aliases.get(CHALLENGER)
        if challenger is None and champion is None:
            raise RegistryError(f"{name}: {uri} has neither challenger nor champion; run pixelwise register first")
        if challenger is None or challenger == champion:
            return Promotion(name, str(champion), "unchanged", Decision(()))
        decision = judge(client, name, challenger, champion, params)
        if not decision.promote:
            return Promotion(name, challenger, "refused", decision)
        carry_out(client, commit(client, name, challenger, champion, decision), ledger)
    return Promotion(name, challenger, "promoted", decision)


def finish_cut_promotion(client: "MlflowClient", name: str, ledger: Path) -> None:
    """Carry out to its end a promotion that was decided before and then cut.

    One whose champion has changed hands since is not: what it was decided against is gone.
    """
    aliases = read_aliases(client, name)
    champion = aliases.get(CHAMPION)
    for version in {aliases[alias] for alias in (CHALLENGER, CHAMPION) if alias in aliases}:
        pending = client.get_model_version(name, version).tags.get(PENDING_TAG)
        entry = json.loads(pending) if pending else None
        if entry is not None and champion in (entry["previous"], version):
            carry_out(client, entry, ledger)


def judge(client: "MlflowClient", name: str, challenger: str, champion: str | None, params: ReleaseParams) -> Decision:
    """The gate's decision on the evidence kept with the versions."""
    rival = None if champion is None else evidence_of(client, name, champion)
    return decide(evidence_of(client, name, challenger), rival, params)


def commit(
    client: "MlflowClient", name: str, challenger: str, champion: str | None, decision: Decision
) -> dict[str, Any]:
    """The line for the ledger, kept with the version before anything moves: from here on the promotion is decided."""
    tags = client.get_model_version(name, challenger).tags
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": name,
        "version": challenger,
        "previous": champion,
        "fingerprint": tags.get("fingerprint"),
        ONNX_TAG: tags.get(ONNX_TAG),
        "checks": [asdict(check) for check in decision.checks],
    }
    client.set_model_version_tag(name, challenger, PENDING_TAG, json.dumps(entry))
    return entry


def carry_out(client: "MlflowClient", entry: dict[str, Any], ledger: Path) -> None:
    """Move the aliases and add the line. Each act may be repeated; the last removes what asks for a repetition."""
    name, version = entry["name"], entry["version"]
    if entry["previous"] is not None:
        move_alias(client, name, PREVIOUS, entry["previous"])
    move_alias(client, name, CHAMPION, version)
    add_once(ledger, entry)
    if read_aliases(client, name).get(CHALLENGER) == version:
        move_alias(client, name, CHALLENGER, None)
    client.delete_model_version_tag(name, version, PENDING_TAG)


@functools.wraps(run)
def run_or_refuse(*args: Any, **kwargs: Any) -> Promotion:
    """`run` for the command line, where a refusal is printed and ends with status 1."""
    promotion = run(*args, **kwargs)
    if promotion.outcome == "refused":
        print(promotion)
        raise RegistryError(f"{promotion.name} version {promotion.version}: refused: {promotion.decision.failures}")
    return promotion


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    step.main(run_or_refuse, "{name}.release", argv)


if __name__ == "__main__":
    main()
