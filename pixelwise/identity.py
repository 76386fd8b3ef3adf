"""What a result was made from: content hashes, the code a step imports, and the fingerprint over all of it."""

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("pixelwise", "components", "flows", "benchmarks")
LOCK_FILE = PROJECT / "requirements.lock"


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hex digest of `value` as canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def code_closure(modules: Iterable[str]) -> list[Path]:
    """Files of this project that `modules` import, directly or not, relative to the project; sorted.

    Read from the source, also inside functions: a lazy import is as much a dependency as any other. DVC does not see
    Python imports, so dvc.yaml lists these files and a test holds that the two agree.
    """
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = module_file(name)
        if path is None or path in found:
            continue
        found.add(path)
        waiting.extend(imported_modules(path))
        # Importing a.b.c runs a/__init__.py and a/b/__init__.py too.
        waiting.append(name.rpartition(".")[0])
    return sorted(path.relative_to(PROJECT) for path in found)


@cache
def imported_modules(path: Path) -> tuple[str, ...]:
    """Dotted names that the Python file at `path` imports; `from a import b` may mean module a.b, so both are named."""
    names: list[str] = []
    for node in nodes_that_run(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.append(node.module)
            names.extend(f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(name for name in names if name.partition(".")[0] in PACKAGES)


def nodes_that_run(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node of `tree` but those under `if TYPE_CHECKING`, which name types and import nothing."""
    for child in ast.iter_child_nodes(tree):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from nodes_that_run(child)


def module_file(name: str) -> Path | None:
    """The source file of a module of this project, or None where the name is no module."""
    if not name:
        return None
    base = PROJECT.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def code_hash(modules: Iterable[str]) -> str:
    """One digest over the import closure of `modules`."""
    return sha256_json({str(path): sha256_file(PROJECT / path) for path in code_closure(modules)})


def training_code(family: str) -> str:
    """The hash of the code that trains a family of nets."""
    return code_hash(["components.train", f"pixelwise.families.{family}.family"])


def fingerprint(parts: Mapping[str, Any]) -> str:
    """sha256 over the named parts of a result's origin: parameters, data, code, environment, upstream models."""
    return sha256_json(dict(parts))
