"""Which tests run which line: measured once, by running all of them under coverage."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

CLOCKWORK = (
    "clocks",
    "clockwork",
    "decoding",
    "equations",
    "motion",
    "stream_grids",
    "calibrate",
    "families_clockwork",
)
GUIDED = ("annotations", "refine", "working_size", "tracker", "clicks", "named_clicks", "session_rules")
GUIDED += ("guided_session", "guided")
# What runs the code that is changed within seconds. Flows and command lines run it in processes of their own, where it
# is not changed.
TESTS = [
    "tests/metrics",
    "tests/registry",
    *(f"tests/families/clockwork/test_{name}.py" for name in CLOCKWORK),
    *(f"tests/families/guided/test_{name}.py" for name in GUIDED),
    *(f"tests/families/{family}/service" for family in ("clockwork", "guided")),
    "tests/families/test_releases.py",
    *(f"tests/components/test_{name}.py" for name in ("promote", "register", "benchmark", "evaluate")),
    "tests/tools/release",
    *(f"tests/tools/test_{name}.py" for name in ("registered_models", "predict_schedule")),
    "tests/test_params_file.py",
    "tests/test_public.py",
]
CHOICE = ["-q", "-m", "not slow and not gpu", "-p", "no:cacheprovider"]


class Clock:
    """A plugin of pytest: the seconds of every test that passed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the seconds of a test's setup, call or teardown."""
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.add(report.nodeid)


def measure(folder: Path, paths: Iterable[str]) -> None:
    """Run TESTS in this process and write to `folder` which of them run which lines below `paths`.

    Ends where pytest finds no such tests: mutants without tests would all seem to survive.
    """
    os.environ["COVERAGE_FILE"] = str(folder / "coverage")
    clock = Clock()
    sources = [f"--cov={path}" for path in paths]
    status = pytest.main([*TESTS, *CHOICE, *sources, "--cov-context=test", "--cov-report="], plugins=[clock])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"pytest ended with {status!r}, expected tests that pass or fail; see output.txt")
    # A test that fails by itself says nothing about a mutant.
    passed = {test: seconds for test, seconds in clock.seconds.items() if test not in clock.failed}
    (folder / "seconds.json").write_text(json.dumps(passed, indent=0))


class LineTests:
    """The tests that run a line, from what `measure` wrote to `folder`."""

    def __init__(self, folder: Path) -> None:
        from coverage import CoverageData

        self.data = CoverageData(folder / "coverage")
        self.data.read()
        self.seconds: dict[str, float] = json.loads((folder / "seconds.json").read_text())

    def find(self, module: Path, lines: Iterable[int], most_seconds: float) -> list[str]:
        """The tests that run a line of `module` (a whole path), of about `most_seconds` together.

        A line that runs on import is tested by all tests of the module. Test modules stay together, quick ones first.
        """
        by_line = self.data.contexts_by_lineno(str(module))
        here = {context for line in lines for context in by_line.get(line, [])}
        if here == {""}:
            here = {context for contexts in by_line.values() for context in contexts}
        found = set().union(*(self.expand(context) for context in here - {""})) if here else set()
        files: dict[str, list[str]] = defaultdict(list)
        for test in self.seconds:
            if test in found:
                files[test.partition("::")[0]].append(test)
        chosen: list[str] = []
        for tests in sorted(files.values(), key=lambda tests: sum(map(self.seconds.__getitem__, tests))):
            for test in tests:
                if sum(map(self.seconds.__getitem__, [*chosen, test])) <= most_seconds or not chosen:
                    chosen.append(test)
        return chosen

    def expand(self, context: str) -> set[str]:
        """The tests of a context, `TEST|run`. A setup may be of a fixture that further tests of the file share."""
        test, _, phase = context.rpartition("|")
        file = test.partition("::")[0]
        return {other for other in self.seconds if other.startswith(f"{file}::")} if phase == "setup" else {test}
