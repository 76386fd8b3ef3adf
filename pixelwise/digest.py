"""The digest of a step: the code and libraries that its result depends on, beside parameters and inputs."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from pixelwise import MODULES
from pixelwise.identity import PROJECT, sha256_file
from pixelwise.imports import code_closure, libraries
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


def digest_of(module: str, by_name: Mapping[str, str]) -> Digest:
    """Make the digest of `module` and its imports, without RECORDERS. `by_name`: as for `code_closure`."""
    public = {f"pixelwise.{name}": home for name, home in MODULES.items()}
    files = code_closure([module], public | dict(by_name), without=RECORDERS)
    return Digest({path.as_posix(): hash_of(path) for path in with_data(files)}, versions_of(files))


def hash_of(path: Path) -> str:
    """The hash of a project file: of the code that runs if it is Python, otherwise of its bytes."""
    return read_source(PROJECT / path).code if path.suffix == ".py" else sha256_file(PROJECT / path)


def with_data(files: Iterable[Path]) -> list[Path]:
    """`files` and the data files of their packages, since a module reads pages and tables beside it."""
    folders = {path.parent for path in files}
    return sorted({*files, *(path for folder in folders for path in package_data(folder))})


@cache
def package_data(folder: Path) -> tuple[Path, ...]:
    """The non-Python files of the package `folder`, including those in subfolders that are not packages."""
    found: list[Path] = []
    for path in (PROJECT / folder).iterdir():
        if path.is_dir() and path.name != "__pycache__" and not any(path.glob("*.py")):
            found.extend(package_data(path.relative_to(PROJECT)))
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            found.append(path.relative_to(PROJECT))
    return tuple(found)


def versions_of(files: Iterable[Path]) -> dict[str, str]:
    """The installed versions of the distributions that Python `files` import, and of no others."""
    imported = {name for path in files for name in libraries(PROJECT / path)} - sys.stdlib_module_names
    providers = distributions()
    return {name: version_of(name) for module in sorted(imported & set(providers)) for name in providers[module]}


@cache
def distributions() -> Mapping[str, list[str]]:
    """The installed distributions by the modules that they provide. Cached: the query takes 0.25 s."""
    return packages_distributions()


@cache
def version_of(distribution: str) -> str:
    """The installed version of a distribution."""
    return version(distribution)
