"""`pixelwise run`: run the pipeline flow in this process; the Prefect UI shows its past runs."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from flows.server import TemporaryServer, require_server
from flows.settings import ProjectError, prepare_dvc, quiet_prefect
from pixelwise import command
from pixelwise.errors import PixelwiseError
from pixelwise.tracking.store import connect_existing, is_installed, resolve_store_uri, translate_errors


class PipelineError(ProjectError):
    """A stage or an action of the pipeline failed."""


def run(
    families: Annotated[Sequence[str], "families to run, with the stages they need (default: all)"] = (),
    no_promote: Annotated[bool, "do not register or promote models"] = False,
) -> str:
    """Bring every stage of dvc.yaml up to date, register and promote the models, and print scores and paths.

    Stages that are up to date do not run again. Stop it with Ctrl-C: the next run resumes from there.
    """
    project = Path.cwd()
    prepare_dvc(project)
    quiet_prefect()
    server = None if os.environ.get("PREFECT_API_URL") else TemporaryServer(project / os.environ["PREFECT_HOME"])
    if server is None:
        asyncio.run(require_server())
    # Imported here, since Prefect reads its settings on import.
    from prefect.exceptions import TerminationSignal

    from flows.pipeline import pipeline
    from flows.summary import format_scores, list_places, read_scores

    load_early(project, promote=not no_promote)
    if server:
        server.wait()
    try:
        state = asyncio.run(pipeline(families=list(families) or None, promote=not no_promote, return_state=True))
    except TerminationSignal:
        # While a flow runs, Prefect's handler of SIGTERM stands in place of the command's.
        raise KeyboardInterrupt from None
    if not state.is_completed():
        raise PipelineError(state.message or f"the flow ended as {state.name}")
    scores = read_scores(project)
    return "\n\n".join([*([format_scores(scores)] if scores else []), list_places(project)])


def load_early(project: Path, promote: bool) -> None:
    """Load what the run needs later, while the server starts: on two cores this costs no extra time.

    Errors are left to the run, which reports them in their place.
    """
    from flows.dag import read_dag

    uri = resolve_store_uri(None)
    with suppress(PixelwiseError), translate_errors(uri):
        # DVC and MLflow load most of their libraries on first use.
        read_dag(project)
        if promote and is_installed():
            connect_existing(uri).search_registered_models(max_results=1)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise run` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main(sys.argv[1:])
