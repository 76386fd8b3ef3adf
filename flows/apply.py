"""Apply a DVC experiment to the checkout: its parameters, and the results of the stages that it ran."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from flows.dag import DagError
from pixelwise import command


def run(experiments: Annotated[Sequence[str], "one experiment, as `dvc exp show` names it"]) -> str:
    """Set parameters, dvc.lock and results to those of an experiment, as `dvc exp apply` does.

    `dvc exp apply` alone ends with an error and a line for every output of a stage that neither the experiment nor the
    checkout ever ran. Raises DagError with DVC's own message, for example where there is no such experiment.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if len(experiments) != 1:
        raise DagError(f"apply: found {len(experiments)} experiments, expected one")
    # Its warnings name the same outputs.
    logging.getLogger("dvc_data").setLevel(logging.ERROR)
    try:
        with Repo(str(Path())) as repo:
            repo.experiments.apply(experiments[0], allow_missing=True)
    except DvcException as error:
        raise DagError(" ".join(str(error).split())) from None
    return "next: dvc exp show, git diff params.yaml, or dvc repro for the stages that the experiment did not run"


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise apply` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main(sys.argv[1:])
