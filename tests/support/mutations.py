"""Mutations: the places of the code that can be changed, one change at each."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
COMPARISONS = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
OPERATORS |= {ast.Mod: ast.Add, ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}


class Mutant(NamedTuple):
    """A change: the place by its number in a walk over the module's tree."""

    module: Path
    place: int

    @property
    def name(self) -> str:
        """The module's dotted name."""
        return ".".join(self.module.with_suffix("").parts)


class Change(NamedTuple):
    """The tree of a changed module, the lines of the place, the first as text, and the code before and after."""

    tree: ast.Module
    lines: range
    text: str
    before: str
    after: str


def list_places(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that can be changed; messages of errors, assertions, types and strings are left as they are."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.ImportFrom | ast.Import):
            continue
        if mutate(node, is_rehearsal=True):
            yield node
        for name, value in ast.iter_fields(node):
            if name not in ("annotation", "returns", "decorator_list", "bases", "type_params"):
                children = value if isinstance(value, list) else [value]
                waiting += [child for child in children if isinstance(child, ast.AST)]


def mutate(node: ast.AST, is_rehearsal: bool = False) -> str:
    """Change `node` in place; return what was done, empty if nothing can be done. A rehearsal changes nothing."""
    match node:
        case ast.Compare(ops=[op, *rest]) if type(op) in COMPARISONS:
            change = ("ops", [COMPARISONS[type(op)](), *rest])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in OPERATORS:
            change = ("op", OPERATORS[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            change = ("operand", ast.UnaryOp(ast.Not(), operand))
        case ast.Constant(value=bool() as value):
            change = ("value", not value)
        case ast.Constant(value=int() | float() as value):
            change = ("value", value + 1)
        case ast.Return(value=ast.AST() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            change = ("value", ast.Constant(None))
        case _:
            return ""
    if not is_rehearsal:
        setattr(node, *change)
    return f"{type(node).__name__}.{change[0]}"


def build(mutant: Mutant) -> Change:
    """Change the module of `mutant` at its place."""
    source = (PROJECT / mutant.module).read_text()
    tree = ast.parse(source)
    node = list(list_places(tree))[mutant.place]
    first = getattr(node, "lineno", 1)
    lines = range(first, getattr(node, "end_lineno", first) + 1)
    before = ast.unparse(node)
    mutate(node)
    after = ast.unparse(ast.fix_missing_locations(node))
    return Change(ast.fix_missing_locations(tree), lines, source.splitlines()[first - 1].strip(), before, after)


def list_mutants(paths: Sequence[str]) -> list[Mutant]:
    """List every mutant of the modules below `paths`."""
    found = []
    for path in paths:
        for file in [PROJECT / path] if path.endswith(".py") else sorted((PROJECT / path).glob("*.py")):
            places = list(list_places(ast.parse(file.read_text())))
            found += [Mutant(file.relative_to(PROJECT), place) for place in range(len(places))]
    return found
