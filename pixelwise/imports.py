"""Find the project files that a module imports. DVC does not track imports, so they are read from the sources."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pixelwise.identity import PROJECT
from pixelwise.sources import read_source

PACKAGES = ("pixelwise", "components", "flows", "benchmarks")


def find_imported_files(
    modules: Iterable[str], by_name: Mapping[str, str] | None = None, without: tuple[str, ...] = ()
) -> list[Path]:
    """The files of this project that `modules` import, directly or indirectly, relative to the project; sorted.

    Imports inside functions count too. `by_name`: function that imports a module by name -> the module that it imports.
    With it, imports by name count too; the found module replaces the module of the function. `without`: packages to
    leave out.
    """
    files: set[Path] = set()
    finders = {function.rpartition(".")[0] for function in by_name or ()}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        name = by_name.get(name, name) if by_name else name
        path = find_module_file(name)
        if path is None or path in files or name in finders or any(is_within(name, package) for package in without):
            continue
        files.add(path)
        waiting.extend(list_imported_modules(path))
        if by_name is not None:
            waiting.extend(list_modules_in_strings(path))
        # Importing a.b.c runs a/__init__.py and a/b/__init__.py too.
        waiting.append(name.rpartition(".")[0])
    return sorted(path.relative_to(PROJECT) for path in files)


def find_module_file(name: str) -> Path | None:
    """The source file of a module of this project; None if `name` is no module."""
    if not name:
        return None
    base = PROJECT.joinpath(*name.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def list_imported_modules(path: Path) -> list[str]:
    """The dotted names in PACKAGES that the file at `path` imports."""
    return [name for name in read_source(path).imports if is_ours(name)]


def list_modules_in_strings(path: Path) -> list[str]:
    """The dotted names in PACKAGES that the file at `path` may import by name."""
    return [name for name in read_source(path).strings if is_ours(name)]


def list_libraries(path: Path) -> set[str]:
    """The top-level modules outside PACKAGES that the file at `path` imports or may import by name."""
    source = read_source(path)
    return {name.partition(".")[0] for name in (*source.imports, *source.strings) if not is_ours(name)}


def is_ours(name: str) -> bool:
    """Whether a dotted name is in a package of this project."""
    return name.partition(".")[0] in PACKAGES


def is_within(name: str, package: str) -> bool:
    """Whether a dotted name is `package` or inside it."""
    return name == package or name.startswith(f"{package}.")
