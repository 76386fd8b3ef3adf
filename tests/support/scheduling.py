"""Which worker of a test run takes which tests, and in what order."""

from xdist.scheduler import LoadFileScheduling

# Modules, or folders of modules that share what is costly to set up, whose tests take longest; the longest first.
LONGEST = (
    "tests/flows/",
    "tests/families/clockwork/test_staged_nets.py",
    "tests/families/guided/",
    "tests/components/test_export.py",
    "tests/families/clockwork/",
    "tests/families/test_new_family.py",
    "tests/test_reruns.py",
    "tests/families/",
    "tests/tools/",
)
# One Prefect server for all of these.
TOGETHER = "tests/flows/"


class ByModule(LoadFileScheduling):
    """A worker takes a module at a time, so that no fixture of a module is set up twice."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)


def place_of(nodeid: str) -> int:
    """The place of a test's module among LONGEST, so that both workers end with short ones."""
    return next((place for place, start in enumerate(LONGEST) if nodeid.startswith(start)), len(LONGEST))
