"""Send the runs recorded while MLflow could not be reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pixelwise import command
from pixelwise.errors import RegistryError
from pixelwise.tracking.sender import send_unsent_runs
from pixelwise.tracking.store import connect, redact_uri, resolve_store_uri
from pixelwise.tracking.unsent_runs import UNSENT_FOLDER, list_unsent


@dataclass(frozen=True)
class Synced:
    """The runs that were sent, and where."""

    store: str
    runs: tuple[str, ...]

    def __str__(self) -> str:
        if not self.runs:
            return f"nothing waits in {UNSENT_FOLDER} for {self.store}"
        return "\n".join(f"sent to {self.store}: run {run_id}" for run_id in self.runs)


def run(
    tracking: Annotated[
        str | None, "MLflow store for all stored runs (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"
    ] = None,
) -> Synced:
    """Send the unsent runs in .state/tracking; each arrives once, even after interrupted attempts.

    Raises RegistryError where the store cannot be reached or refuses a run, or where unsent runs of another store are
    left.
    """
    uri = resolve_store_uri(tracking)
    # A store given with --tracking is contacted even without unsent runs, so that a wrong name fails at once.
    if tracking is None and not list_unsent():
        return Synced(redact_uri(uri), ())
    sent = send_unsent_runs(connect(uri), uri, is_asked=tracking is not None)
    if unsent := list_unsent():
        raise RegistryError(
            f"{unsent[0]}: still waits, {len(unsent)} in all; --tracking {redact_uri(uri)} sends every one there"
        )
    return Synced(redact_uri(uri), tuple(dict.fromkeys(sent)))


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise send-runs` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
