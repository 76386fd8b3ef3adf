"""The digest of a step: what its result depends on beside parameters and inputs, which is code and libraries."""

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

# They keep what a step found and give it nothing: an edit in MLflow code trains no net again.
RECORDERS = ("pixelwise.tracking", "pixelwise.registry")


@dataclass(frozen=True)
class Digest:
    """The code and libraries behind a result. files: path -> hash. versions: distribution -> version."""

    files: Mapping[str, str]
    versions: Mapping[str, str]

    def as_json(self) -> dict[str, Mapping[str, str]]:
        """The content of a digest file."""
        return asdict(self)


def digest_of(module: str, by_name: Mapping[str, str]) -> Digest:
    """The digest of all that `module` imports but RECORDERS. `by_name` is as for `code_closure`."""
    public = {f"pixelwise.{name}": home for name, home in MODULES.items()}
    files = code_closure([module], public | dict(by_name), without=RECORDERS)
    return Digest({path.as_posix(): hash_of(path) for path in with_data(files)}, versions_of(files))


def hash_of(path: Path) -> str:
    """The hash of a file of the project: of the code that runs where it is Python, else of its bytes."""
    return read_source(PROJECT / path).code if path.suffix == ".py" else sha256_file(PROJECT / path)


def with_data(files: Iterable[Path]) -> list[Path]:
    """`files` and the data of their packages: the pages and tables that a module reads lie beside it."""
    folders = {path.parent for path in files}
    return sorted({*files, *(path for folder in folders for path in package_data(folder))})


@cache
def package_data(folder: Path) -> tuple[Path, ...]:
    """The files in the package `folder` that are not Python, and those below it that are in no package."""
    found: list[Path] = []
    for path in (PROJECT / folder).iterdir():
        if path.is_dir() and path.name != "__pycache__" and not any(path.glob("*.py")):
            found.extend(package_data(path.relative_to(PROJECT)))
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            found.append(path.relative_to(PROJECT))
    return tuple(found)


def versions_of(files: Iterable[Path]) -> dict[str, str]:
    """The installed version of every distribution that Python `files` import; nothing else of the environment."""
    imported = {name for path in files for name in libraries(PROJECT / path)} - sys.stdlib_module_names
    providers = distributions()
    return {name: version_of(name) for module in sorted(imported & set(providers)) for name in providers[module]}


@cache
def distributions() -> Mapping[str, list[str]]:
    """The installed distributions by the modules that they provide; asking takes a quarter of a second."""
    return packages_distributions()


@cache
def version_of(distribution: str) -> str:
    """The installed version of a distribution."""
    return version(distribution)
