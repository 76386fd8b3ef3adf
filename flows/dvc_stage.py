"""One stage of dvc.yaml by `dvc repro --single-item`, and what DVC says it did with it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from flows.command import Listen, Outcome, run_command

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

StageState = Literal[
    "ran", "unchanged", "restored", "failed", "not run", "registered", "promoted", "refused", "postponed"
]
# The name of a failed state after which a run is none the less complete.
POSTPONED = "Postponed"
# What DVC 3.67 prints first about a stage. A test holds these against the installed DVC.
ANNOUNCED: dict[str, StageState] = {
    "Running stage '{name}':": "ran",
    "Stage '{name}' is cached - skipping run, checking out outputs": "restored",
    "Stage '{name}' didn't change, skipping": "unchanged",
}
NEW_LOCK = ("Updating lock file ", "Generating lock file ")
AFTER_THE_COMMAND = (*NEW_LOCK, "Use `dvc push` ")


@dataclass(frozen=True)
class StageResult:
    """What became of a stage, or of an action on the registry. error: one line, where it failed or was postponed."""

    name: str
    state: StageState
    seconds: float = 0.0
    error: str = ""

    def __str__(self) -> str:
        """As it stands behind the stage's name in the progress lines."""
        took = f" ({self.seconds:.0f} s)" if self.state == "ran" else ""
        return f"{self.state}{took}" + (f": {self.error}" if self.error else "")


async def reproduce(
    name: str, project: Path, environment: Mapping[str, str], on_start: Callable[[], None], on_line: Listen
) -> StageResult:
    """Bring the stage `name` up to date, whose needs must be so already.

    `on_start` is called when the stage's command begins, `on_line` with every line it prints.
    """
    # Branches run side by side, and DVC locks the repository for moments: wait instead of failing after 3 s.
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
    own_output = OwnOutput(name, on_start, on_line)
    outcome = await run_command(command, project, environment, own_output.listen, write_error)
    if outcome.status:
        return StageResult(name, "failed", error=find_error(outcome))
    return StageResult(name, find_state(name, outcome.output))


class OwnOutput:
    """Lets through what the stage's command prints and leaves out DVC's words around it."""

    def __init__(self, name: str, on_start: Callable[[], None], on_line: Listen) -> None:
        self.name = name
        self.on_start = on_start
        self.on_line = on_line
        self.is_running = False

    def listen(self, line: str) -> None:
        """Take one line of DVC's standard output."""
        if read_state(line, self.name) == "ran":
            self.is_running = True
            self.on_start()
        elif line.startswith(AFTER_THE_COMMAND):
            self.is_running = False
        elif self.is_running and not line.startswith("> "):
            self.on_line(line)


def read_state(line: str, name: str) -> StageState | None:
    """The state that this line of DVC's output announces, if it does."""
    return next((state for words, state in ANNOUNCED.items() if line == words.format(name=name)), None)


def find_state(name: str, output: Sequence[str]) -> StageState:
    """The state of a stage from the output of its successful `dvc repro --single-item`.

    One that ran and left dvc.lock as it was counts as unchanged: its inputs and results are what they were.
    """
    found = next((state for line in output if (state := read_state(line, name))), None)
    has_new_lock = any(line.startswith(NEW_LOCK) for line in output)
    return "unchanged" if found is None or (found == "ran" and not has_new_lock) else found


def find_error(outcome: Outcome) -> str:
    """One line: the step's own `error: …` where it gave one, else what DVC said last."""
    lines = [line.strip() for line in outcome.errors if line.strip()]
    for prefix in ("error: ", "ERROR: "):
        for line in reversed(lines):
            if line.startswith(prefix):
                return line.removeprefix(prefix)
    return lines[-1] if lines else f"ended with status {outcome.status}"


def to_result(name: str, state: "State", seconds: float) -> StageResult:
    """What a task's Prefect `state` says by its name; a crash inside Prefect counts as a failure."""
    if not state.is_completed():
        outcome: StageState = "postponed" if state.name == POSTPONED else "failed"
        return StageResult(name, outcome, seconds, error=state.message or str(state.name))
    return StageResult(name, cast(StageState, str(state.name).lower()), seconds)


def write_error(piece: str) -> None:
    """Show a piece of standard error where it came, progress bars included."""
    sys.stderr.write(piece)
    sys.stderr.flush()
