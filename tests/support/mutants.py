"""Mutants: change one place of the code at a time and see whether a test that runs it fails.

`make mutants` draws a seeded sample over all places, runs as many as fit into the seconds given, and lists the
survivors. No file is changed: a process of its own gives the functions of the module other code, or imports the module
from memory where a function alone does not change. The tests of a place are those that run its lines, measured once
(`--measure`). Results are kept in .state/mutants, so that a run goes on from where the last one was.
"""

import argparse
import importlib
import importlib.abc
import importlib.util
import json
import multiprocessing
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from types import FunctionType
from typing import Any

from support.line_tests import CHOICE, TESTS, LineTests, measure
from support.mutant_report import describe, summarise
from support.mutations import PROJECT, Change, Mutant, build, list_mutants
from support.swapped_code import find_functions, swap

PATHS = [
    "pixelwise/metrics",
    "pixelwise/families/clockwork/runtime",
    "pixelwise/families/guided/runtime",
    "pixelwise/registry",
]
FOLDER = PROJECT / ".state/mutants"
# The test that failed last.
KILLER = FOLDER / "killer.txt"
# Seconds of tests for one mutant; those that run its lines in more files than fit are left out.
MOST_SECONDS = 120.0
# Imported once, before the processes part.
HEAVY = ("torch", "torchvision", "timm", "lightning.fabric", "onnxscript", "onnxruntime", "mlflow", "pyarrow", "cv2")
HEAVY += ("av", "fastapi", "uvicorn", "scipy.ndimage", "scipy.sparse", "matplotlib.pyplot", "hypothesis", "httpx")
FORK = multiprocessing.get_context("fork")
TEMPORARY = f"--basetemp={FOLDER / 'temporary'}"
# Seconds after which tests that wait for ever are ended.
LONGEST = 1800
# The status of a mutant that only an import changes.
NOT_SWAPPED = 77


class FromMemory(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a tree instead of its file."""

    def __init__(self, name: str, change: Change) -> None:
        self.name, self.tree = name, change.tree

    def find_spec(self, fullname, path, target=None):
        """Return the spec of the changed module alone."""
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module):
        """Run the changed code as the module."""
        exec(compile(self.tree, self.name, "exec"), module.__dict__)


class Session:
    """A plugin of pytest: tests run in the order in which they are named, and the first that fails is noted."""

    def __init__(self, tests: Sequence[str] = ()) -> None:
        self.places = {test: place for place, test in enumerate(tests)}

    @staticmethod
    def pytest_configure() -> None:
        """Use the worlds that tests share, which were made by the code as it is."""
        from support.shared import Shared

        Shared.__init__ = lambda self, _: setattr(self, "root", FOLDER / "worlds")

    def pytest_collection_modifyitems(self, items):
        """Undo the order of conftest.py, which is that of long runs."""
        items.sort(key=lambda item: self.places.get(item.nodeid, -1))

    def pytest_runtest_logreport(self, report):
        """Note a test that failed."""
        if report.failed:
            KILLER.write_text(report.nodeid)


class Collected(Session):
    """A plugin of pytest that collects all tests once, and runs those that it is sent, each time in a new process."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection

    def pytest_runtestloop(self, session):
        """Receive a mutant, its tests and the most seconds; send the status, until nothing is received."""
        functions = find_functions({str(PROJECT / mutant.module) for mutant in list_mutants(PATHS)})
        while task := self.connection.recv():
            mutant, tests, seconds = task
            # A test is named by itself or by its file.
            chosen = [item for test in tests for item in session.items if f"{item.nodeid}::".startswith(f"{test}::")]
            own = functions[str(PROJECT / mutant.module)]
            self.connection.send(work_apart(partial(run_items, chosen, mutant, own), seconds))
        return True


def run_items(items: Sequence[Any], mutant: Mutant, functions: Sequence[FunctionType]) -> int:
    """Run tests that are collected until one fails; 1 where one does, NOT_SWAPPED where only an import changes it."""
    if not swap(mutant, functions):
        return NOT_SWAPPED
    for item, following in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed:
            return 1
    return 0


def run_tests(tests: Sequence[str], mutant: Mutant) -> int:
    """Collect `tests` and run them until one fails; return pytest's status."""
    import pytest

    sys.meta_path.insert(0, FromMemory(mutant.name, build(mutant)))
    return int(pytest.main([*tests, "-x", *CHOICE, TEMPORARY], plugins=[Session(tests)]))


def collect(connection: Connection, also: Sequence[str]) -> int:
    """Import what is changed, collect all tests, and run some of them for each mutant that `connection` names."""
    import pytest

    for module in {mutant.name for mutant in list_mutants(PATHS)}:
        importlib.import_module(module)
    return int(pytest.main([*TESTS, *also, *CHOICE, TEMPORARY], plugins=[Collected(connection)]))


def measure_lines() -> int:
    """Measure which tests run which lines, and make the worlds that tests share."""
    Session.pytest_configure()
    (FOLDER / "worlds").mkdir(parents=True, exist_ok=True)
    measure(FOLDER, PATHS)
    return 0


def leave_with(work: Callable[[], int], seconds: int | None) -> None:
    """Do `work` in this process without a word, and leave it with its status, or when the processor's `seconds` end."""
    with (FOLDER / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    if seconds:
        # Of the processor, so that a busy machine ends no test.
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    os._exit(work())


def work_apart(work: Callable[[], int], seconds: int | None = None) -> int | None:
    """Do `work` in a process of its own and return its status; another than 0 where it does not end."""
    process = FORK.Process(target=leave_with, args=(work, seconds))
    process.start()
    process.join(LONGEST if seconds else None)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


def run_mutant(mutant: Mutant, tests: Sequence[str], seconds: int, collected: Connection) -> int | None:
    """The status of a mutant's tests: of those that are collected already, where that suffices."""
    collected.send((mutant, tests, seconds))
    status = collected.recv()
    return work_apart(partial(run_tests, tests, mutant), seconds) if status == NOT_SWAPPED else status


def judge(
    mutant: Mutant, change: Change, tests: LineTests, also: Sequence[str], collected: Connection
) -> dict[str, Any]:
    """Run the tests of a mutant, `also` first: `killed`, `survived`, or `not run` where no test runs the place."""
    measured = tests.find(PROJECT / mutant.module, change.lines, MOST_SECONDS)
    chosen = [*also, *measured]
    KILLER.unlink(missing_ok=True)
    began, outcome = time.monotonic(), "not run"
    if chosen:
        # An endless test is a killed mutant.
        longest = 60 + round(5 * sum(map(tests.seconds.__getitem__, measured)))
        outcome = "survived" if run_mutant(mutant, chosen, longest, collected) == 0 else "killed"
    facts = {"outcome": outcome, "tests": len(chosen), "seconds": round(time.monotonic() - began, 1)}
    # Without one, the module could not be imported, or the tests did not end.
    return {**describe(mutant, change), **facts, "by": KILLER.read_text() if KILLER.exists() else ""}


def main() -> None:
    """Run mutants from the command line and print the share that tests kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", nargs="+", default=PATHS, help="modules or folders (default: all)")
    parser.add_argument("--count", type=int, default=100, help="mutants to draw")
    parser.add_argument("--seconds", type=float, default=1200, help="begin no mutant after so many seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measure", action="store_true", help="measure again which tests run which lines")
    parser.add_argument("--survivors", action="store_true", help="run those again that survived")
    parser.add_argument("--also", nargs="+", default=[], help="tests to run too, such as new ones, not yet measured")
    params = parser.parse_args()
    for library in HEAVY:
        importlib.import_module(library)

    if params.measure or not (FOLDER / "seconds.json").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        work_apart(measure_lines)
    tests, file = LineTests(FOLDER), FOLDER / "results.jsonl"
    every = list_mutants(params.paths)
    chosen = random.Random(params.seed).sample(every, min(params.count, len(every)))
    lines = file.read_text().splitlines() if file.exists() else []
    # The last result of a mutant counts.
    done = {(row["module"], row["source"], row["place"]): row for row in map(json.loads, lines)}
    collected, theirs = FORK.Pipe()
    FORK.Process(target=leave_with, args=(partial(collect, theirs, params.also), None)).start()
    # So that an end of the collecting process is the end of the connection.
    theirs.close()
    began, rows = time.monotonic(), []
    for mutant in chosen:
        change = build(mutant)
        facts = describe(mutant, change)
        row = done.get((facts["module"], facts["source"], facts["place"]))
        if row is None or (params.survivors and row["outcome"] != "killed"):
            if time.monotonic() - began > params.seconds:
                continue
            row = judge(mutant, change, tests, params.also, collected)
            with file.open("a") as opened:
                opened.write(json.dumps(row) + "\n")
        rows.append(row)
    collected.send(None)
    print(summarise(rows, len(every)))


if __name__ == "__main__":
    main()
