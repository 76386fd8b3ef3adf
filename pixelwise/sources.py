"""Read a Python source file: its imports, and a hash over the code that runs."""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from pixelwise.errors import PixelwiseError
from pixelwise.files import write_text

IMPORT_BY_NAME = ("import_module", "find_spec")
# Hash of a file's content -> its Source: used by this process, and cached on disk. Parsing all takes over a second.
known: dict[str, "Source"] = {}
remembered: dict[str, "Source"] = {}


class CodeError(PixelwiseError):
    """A source file cannot be read."""


@dataclass(frozen=True)
class Source:
    """The imports of a file, and the hash of its code.

    imports: dotted names; `from a import b` may mean module a.b, so both `a` and `a.b` are listed. strings: all string
    constants of a file that imports modules by name, since each may be a module's name; else empty. code: hash of the
    syntax tree that runs.
    """

    imports: tuple[str, ...]
    strings: tuple[str, ...]
    code: str


def read_source(path: Path) -> Source:
    """Read the Source of the file at `path`. Raises CodeError if it is not Python."""
    content = path.read_bytes()
    key = hashlib.sha256(make_salt() + content).hexdigest()
    if key not in known:
        known[key] = remembered[key] if key in remembered else parse(content, path)
    return known[key]


@cache
def make_salt() -> bytes:
    """Cache key beside the file's content: the Python version, which decides syntax trees, and this module."""
    return sys.version.encode() + Path(__file__).read_bytes()


def parse(content: bytes, path: Path) -> Source:
    """Parse the code of a source file that runs, without `if TYPE_CHECKING` blocks."""
    try:
        tree = OnlyWhatRuns().visit(ast.parse(content))
    except (SyntaxError, ValueError) as error:
        raise CodeError(f"{path}: {error}, expected Python") from None
    nodes = list(ast.walk(tree))
    imports = tuple(name for node in nodes for name in list_imports(node))
    called = {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}
    strings = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    by_name = () if called.isdisjoint(IMPORT_BY_NAME) else tuple(strings)
    return Source(imports, by_name, hashlib.sha256(ast.dump(tree).encode()).hexdigest())


def list_imports(node: ast.AST) -> Iterator[str]:
    """The dotted names that a node of a syntax tree imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


class OnlyWhatRuns(ast.NodeTransformer):
    """Remove docstrings, parameter descriptions and `if TYPE_CHECKING` blocks. Syntax trees have no comments."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Remove the docstring of a module, class or function, then visit its children."""
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[1:] if begins_with_text(node.body) else node.body
        return super().generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        """Remove `if TYPE_CHECKING` blocks."""
        return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Remove the description of a parameter."""
        if getattr(node.func, "id", "") == "Field":
            node.keywords = [keyword for keyword in node.keywords if keyword.arg != "description"]
        return self.generic_visit(node)


def begins_with_text(body: list[ast.stmt]) -> bool:
    """Whether a body begins with a docstring."""
    first = body[0] if body else None
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


def recall_sources(file: Path) -> None:
    """Read the sources that an earlier process cached in `file`, if there is such a file."""
    with suppress(OSError, ValueError, TypeError):
        remembered.update({key: Source(**fields) for key, fields in json.loads(file.read_text()).items()})


@contextmanager
def cache_sources(file: Path) -> Iterator[None]:
    """Cache sources read inside the block in `file`, so that the next process parses only changed files."""
    recall_sources(file)
    cached = set(remembered)
    yield
    if set(known) != cached:
        write_text(file, json.dumps({key: asdict(source) for key, source in known.items()}))
