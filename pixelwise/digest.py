"""The digest of a step: the code and libraries that its result depends on, beside parameters and inputs."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from pixelwise import MODULES
from pixelwise.identity import PROJECT, sha256_file
from pixelwise.imports import find_imported_files, list_libraries
from pixelwise.sources import read_source

# Recorders store a step's results and do not affect them. An edit in MLflow code must not retrain a net.
RECORDERS = ("pixelwise.tracking", "pixelwise.registry")


@dataclass(frozen=True)
class Digest:
    """The code and libraries that a result depends on. files: path -> hash. versions: distribution -> version."""

    files: Mapping[str, str]
    versions: Mapping[str, str]

    def as_json(self) -> dict[str, Mapping[str, str]]:
        """The content of a digest file."""
        return asdict(self)


def make_digest(module: str, by_name: Mapping[str, str]) -> Digest:
    """Make the digest of `module` and its imports, without RECORDERS. `by_name`: as for `find_imported_files`."""
    public = {f"pixelwise.{name}": home for name, home in MODULES.items()}
    files = find_imported_files([module], public | dict(by_name), without=RECORDERS)
    return Digest({path.as_posix(): hash_code(path) for path in add_data_files(files)}, find_versions(files))


def hash_code(path: Path) -> str:
    """The hash of a project file: of the code that runs if it is Python, otherwise of its bytes."""
    return read_source(PROJECT / path).code if path.suffix == ".py" else sha256_file(PROJECT / path)


def add_data_files(files: Iterable[Path]) -> list[Path]:
    """`files` and the data files of their packages, since a module reads pages and tables beside it."""
    folders = {path.parent for path in files}
    return sorted({*files, *(path for folder in folders for path in list_data_files(folder))})


@cache
def list_data_files(folder: Path) -> tuple[Path, ...]:
    """The non-Python files of the package `folder`, including those in subfolders that are not packages."""
    files: list[Path] = []
    for path in (PROJECT / folder).iterdir():
        if path.is_dir() and path.name != "__pycache__" and not any(path.glob("*.py")):
            files.extend(list_data_files(path.relative_to(PROJECT)))
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            files.append(path.relative_to(PROJECT))
    return tuple(files)


def find_versions(files: Iterable[Path]) -> dict[str, str]:
    """The installed versions of the distributions that Python `files` import, and of no others."""
    imported = {name for path in files for name in list_libraries(PROJECT / path)} - sys.stdlib_module_names
    providers = read_distributions()
    return {name: read_version(name) for module in sorted(imported & set(providers)) for name in providers[module]}


@cache
def read_distributions() -> Mapping[str, list[str]]:
    """The installed distributions by the modules that they provide. Cached: the query takes 0.25 s."""
    return packages_distributions()


@cache
def read_version(distribution: str) -> str:
    """The installed version of a distribution."""
    return version(distribution)
