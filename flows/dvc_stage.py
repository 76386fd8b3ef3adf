"""Run one stage of dvc.yaml with `dvc repro --single-item` and read the outcome from DVC's output."""

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
# Name of a failed task state that does not fail the run.
POSTPONED = "Postponed"
# The first line that DVC 3.67 prints about a stage. A test compares these with the installed DVC.
ANNOUNCED: dict[str, StageState] = {
    "Running stage '{name}':": "ran",
    "Stage '{name}' is cached - skipping run, checking out outputs": "restored",
    "Stage '{name}' didn't change, skipping": "unchanged",
}
NEW_LOCK = ("Updating lock file ", "Generating lock file ")
AFTER_THE_COMMAND = (*NEW_LOCK, "Use `dvc push` ")


@dataclass(frozen=True)
class StageResult:
    """Outcome of a stage or of an action on the registry. error: one line, where it failed or was postponed."""

    name: str
    state: StageState
    seconds: float = 0.0
    error: str = ""

    def __str__(self) -> str:
        """Return the text that follows the stage's name in the progress lines."""
        took = f" ({self.seconds:.0f} s)" if self.state == "ran" else ""
        return f"{self.state}{took}" + (f": {self.error}" if self.error else "")


async def reproduce(
    name: str, project: Path, environment: Mapping[str, str], on_start: Callable[[], None], on_line: Listen
) -> StageResult:
    """Bring the stage `name` up to date; the stages it needs must be up to date already.

    Calls `on_start` when the stage's command begins, and `on_line` with every line the command prints.
    """
    # Branches run concurrently and DVC locks the repository briefly: wait for the lock instead of failing after 3 s.
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
    own_output = OwnOutput(name, on_start, on_line)
    outcome = await run_command(command, project, environment, own_output.listen, write_error)
    if outcome.status:
        return StageResult(name, "failed", error=find_error(outcome))
    return StageResult(name, find_state(name, outcome.output))


class OwnOutput:
    """Passes on the lines of the stage's command and drops the lines of DVC around them."""

    def __init__(self, name: str, on_start: Callable[[], None], on_line: Listen) -> None:
        self.name = name
        self.on_start = on_start
        self.on_line = on_line
        self.is_running = False

    def listen(self, line: str) -> None:
        """Process one line of DVC's standard output."""
        if read_state(line, self.name) == "ran":
            self.is_running = True
            self.on_start()
        elif line.startswith(AFTER_THE_COMMAND):
            self.is_running = False
        elif self.is_running and not line.startswith("> "):
            self.on_line(line)


def read_state(line: str, name: str) -> StageState | None:
    """The state that this line of DVC's output announces, or None."""
    return next((state for words, state in ANNOUNCED.items() if line == words.format(name=name)), None)


def find_state(name: str, output: Sequence[str]) -> StageState:
    """The state of a stage from the output of its successful `dvc repro --single-item`.

    A stage that ran and did not change dvc.lock counts as unchanged: its inputs and outputs are the same as before.
    """
    announced = next((state for line in output if (state := read_state(line, name))), None)
    has_new_lock = any(line.startswith(NEW_LOCK) for line in output)
    return "unchanged" if announced is None or (announced == "ran" and not has_new_lock) else announced


def find_error(outcome: Outcome) -> str:
    """Return one line: the step's last `error: …`, else DVC's last `ERROR: …`, else the last line of the errors."""
    lines = [line.strip() for line in outcome.errors if line.strip()]
    for prefix in ("error: ", "ERROR: "):
        for line in reversed(lines):
            if line.startswith(prefix):
                return line.removeprefix(prefix)
    return lines[-1] if lines else f"ended with status {outcome.status}"


def read_result(name: str, state: "State", seconds: float) -> StageResult:
    """Read the result from the name of a task's Prefect `state`; a crash inside Prefect counts as a failure."""
    if not state.is_completed():
        outcome: StageState = "postponed" if state.name == POSTPONED else "failed"
        return StageResult(name, outcome, seconds, error=state.message or str(state.name))
    return StageResult(name, cast(StageState, str(state.name).lower()), seconds)


def write_error(piece: str) -> None:
    """Write a piece of a command's standard error to ours at once, so that progress bars work."""
    sys.stderr.write(piece)
    sys.stderr.flush()
