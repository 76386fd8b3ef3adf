"""Write a digest for each stage of dvc.yaml: what DVC compares instead of source files and installed packages."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pixelwise import command, families
from pixelwise.changes import read_stages
from pixelwise.cli import module_of
from pixelwise.digest import digest_of
from pixelwise.files import write_text
from pixelwise.sources import kept_in

SOURCES = Path(".state/sources.json")


def run(
    out: Annotated[Path, "folder for STAGE.json, and FAMILY/STAGE.json of a stage that every family has"],
    project: Annotated[Path, "root of the checkout"] = Path(),
) -> None:
    """Write for each stage the hashes of the code that its step imports and the versions of the libraries behind it.

    Comments, docstrings, descriptions of parameters, MLflow's recorder and the registry change no digest: no result
    depends on them. Raises StageError where there is no dvc.yaml, CodeError where a source file is no Python.
    """
    with kept_in(project / SOURCES):
        for name, family in find_steps(project):
            digest = digest_of(module_of(name), families.hooks_by_name(family))
            text = json.dumps(digest.as_json(), indent=1) + "\n"
            file = out / (family or "") / f"{name}.json"
            if not file.is_file() or file.read_text() != text:
                write_text(file, text)


def find_steps(project: Path) -> Iterator[tuple[str, str | None]]:
    """(name, family) of every stage that is a step; family None where the stage does not repeat over families."""
    for name, stage in read_stages(project).items():
        if not stage.get("always_changed"):
            yield from ((name, family) for family in (families.names() if "foreach" in stage else [None]))


def main(argv: Sequence[str] | None = None) -> None:
    """The command line of `pixelwise code`."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
