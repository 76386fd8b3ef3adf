"""Write a digest for each stage of dvc.yaml. DVC compares digests instead of source files and installed packages."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pixelwise import command, families
from pixelwise.changes import read_stages
from pixelwise.cli import find_module
from pixelwise.digest import make_digest
from pixelwise.documents import read_yaml
from pixelwise.errors import ParamsError
from pixelwise.files import write_text
from pixelwise.params import PARAMS_FILE
from pixelwise.sources import cache_sources
from pixelwise.stage_inputs import SOURCES

RAW_DATA = Path("data/source")


def run(
    out: Annotated[Path, "folder for STAGE.json, and for FAMILY/STAGE.json of a stage with `foreach`"],
    project: Annotated[Path, "root of the checkout"] = Path(),
) -> None:
    """Write for each stage the hashes of the code that its step imports and the versions of the libraries it uses.

    Comments, docstrings, descriptions of parameters, MLflow's recorder and the registry change no digest: no result
    depends on them. Also points `data/source` at the raw data. Raises StageError where there is no dvc.yaml, CodeError
    where a source file is no Python, ParamsError where ingest.root of params.yaml does not exist.
    """
    with cache_sources(project / SOURCES):
        for name, family in find_steps(project):
            digest = make_digest(find_module(name), families.list_hook_modules(family))
            text = json.dumps(digest.as_json(), indent=1) + "\n"
            file = out / (family or "") / f"{name}.json"
            if not file.is_file() or file.read_text() != text:
                write_text(file, text)
    link_raw_data(project)


def link_raw_data(project: Path) -> None:
    """Make `data/source` a link to ingest.root, or an empty file where that is null: DVC needs a path to depend on.

    Raises ParamsError where ingest.root does not exist.
    """
    section = read_yaml(project / PARAMS_FILE, "parameters").get("ingest") or {}
    root, link = section.get("root"), project / RAW_DATA
    if root and not (project / root).exists():
        raise ParamsError(f"{PARAMS_FILE}: ingest.root: no file or folder {root}, expected the raw data")
    target = (project / root).resolve() if root else None
    if link.exists() and target == (link.readlink() if link.is_symlink() else None):
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    if target:
        link.symlink_to(target)
    else:
        link.touch()


def find_steps(project: Path) -> Iterator[tuple[str, str | None]]:
    """Yield (name, family) of every stage that is a step; family is None where the stage has no `foreach`."""
    for name, stage in read_stages(project).items():
        if not stage.get("always_changed"):
            yield from ((name, family) for family in (families.names() if "foreach" in stage else [None]))


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise code` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
