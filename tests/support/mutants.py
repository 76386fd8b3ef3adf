"""Mutants: change one place of the code at a time and see whether the tests that are mapped to it fail.

`make mutants` draws a seeded sample over all places, runs as many as fit into the seconds given, and lists the
survivors. No file is changed: each mutant is imported from memory, in a process of its own.
"""

import argparse
import ast
import importlib.abc
import importlib.util
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[2]
METRICS = ["boundary", "confusion", "frame_change", "oracle", "positive_iu"]
CLOCKWORK, GUIDED = "pixelwise/families/clockwork/runtime", "pixelwise/families/guided/runtime"
GATE = "tests/registry/test_release_gate.py"
STAGED = [
    "test_clocks",
    "test_equations",
    "test_stream_grids",
    "test_motion",
    "test_clockwork",
    "test_families_clockwork",
]
CLICKED = ["annotations", "refine", "working_size", "tracker", "guided_session"]
# Module or folder -> the tests that hold it, quick ones first.
TESTS = {
    **{f"pixelwise/metrics/{name}.py": [f"tests/metrics/test_{name}.py"] for name in METRICS},
    "pixelwise/metrics/measurement.py": ["tests/metrics/test_measurement.py", GATE],
    "pixelwise/registry/release_gate.py": [GATE],
    CLOCKWORK: [f"tests/families/clockwork/{name}.py" for name in STAGED],
    GUIDED: [f"tests/families/guided/test_{name}.py" for name in CLICKED],
}
# Much more than the tests of one module take.
LONGEST = 300
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

    @property
    def tests(self) -> list[str]:
        """The tests that should fail."""
        return next(tests for path, tests in TESTS.items() if self.module.is_relative_to(path))


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


def build(mutant: Mutant) -> tuple[ast.Module, str]:
    """Return the tree of the changed module, and the change as text."""
    tree = ast.parse((PROJECT / mutant.module).read_text())
    node = list(list_places(tree))[mutant.place]
    before, line = ast.unparse(node), getattr(node, "lineno", 0)
    mutate(node)
    after = ast.unparse(ast.fix_missing_locations(node))
    return ast.fix_missing_locations(tree), f"{mutant.module}:{line}: {before}  →  {after}"


class FromMemory(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a tree instead of its file."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name, self.tree = name, tree

    def find_spec(self, fullname, path, target=None):
        """Return the spec of the changed module alone."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module):
        """Run the changed code as the module."""
        exec(compile(self.tree, self.name, "exec"), module.__dict__)


def run_tests(tests: Sequence[str], worlds: Path, mutant: Mutant | None) -> None:
    """Run `tests` in this process and leave it with pytest's status. `worlds`: what the tests share, made once."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    import pytest

    from support.shared import Shared

    Shared.__init__ = lambda self, _: setattr(self, "root", worlds)  # type: ignore[method-assign]
    if mutant:
        sys.meta_path.insert(0, FromMemory(mutant.name, build(mutant)[0]))
    os._exit(pytest.main([*tests, "-x", "-q", "-m", "not slow and not gpu", "-p", "no:cacheprovider"]))


def survives(tests: Sequence[str], worlds: Path, mutant: Mutant | None = None) -> bool:
    """Whether the tests pass. Endless ones are ended, and count as failed."""
    process = multiprocessing.get_context("fork").Process(target=run_tests, args=(tests, worlds, mutant))
    process.start()
    process.join(LONGEST if mutant else None)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode == 0


def list_mutants(paths: Sequence[str]) -> list[Mutant]:
    """List every mutant of the modules below `paths`."""
    found = []
    for path in paths:
        for file in [PROJECT / path] if path.endswith(".py") else sorted((PROJECT / path).glob("*.py")):
            places = list(list_places(ast.parse(file.read_text())))
            found += [Mutant(file.relative_to(PROJECT), place) for place in range(len(places))]
    return found


def main() -> None:
    """Run mutants from the command line and print the share that tests kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", nargs="+", default=list(TESTS), help="modules or folders (default: all mapped)")
    parser.add_argument("--count", type=int, default=100, help="mutants to draw")
    parser.add_argument("--seconds", type=float, default=1200, help="begin no mutant after so many seconds")
    parser.add_argument("--seed", type=int, default=0)
    params = parser.parse_args()
    # Heavy and not ours: imported once, before the processes part.
    import onnxruntime  # noqa: F401
    import timm  # noqa: F401

    every = list_mutants(params.paths)
    chosen = random.Random(params.seed).sample(every, min(params.count, len(every)))
    with tempfile.TemporaryDirectory() as folder:
        for tests in {tuple(mutant.tests) for mutant in chosen}:
            if not survives(tests, Path(folder)):
                raise SystemExit(f"error: {' '.join(tests)}: fail without a mutant")
        began, survivors, done = time.monotonic(), [], 0
        for mutant in chosen:
            if time.monotonic() - began > params.seconds:
                break
            done += 1
            if survives(mutant.tests, Path(folder), mutant):
                survivors.append(mutant)
                print(f"survived: {build(mutant)[1]}", flush=True)
    killed = done - len(survivors)
    print(f"{killed} of {done} mutants killed ({killed / max(done, 1):.0%}), drawn from {len(every)}")


if __name__ == "__main__":
    main()
