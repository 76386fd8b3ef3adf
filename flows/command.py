"""Run a command from a flow: its output is passed on as it comes, and it ends when the flow ends."""

import asyncio
import codecs
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio import CancelScope

GUARD = Path(__file__).with_name("guard.py")
CHUNK_BYTES = 65536
Listen = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit `status`, and the complete lines of its `output` and `errors`."""

    status: int
    output: list[str]
    errors: list[str]


async def run_command(
    command: Sequence[str], project: Path, environment: Mapping[str, str], on_output: Listen, on_errors: Listen
) -> Outcome:
    """Run `command` in `project`; pass its output on as it comes.

    `on_output` gets whole lines. `on_errors` gets raw pieces, so that a progress bar redraws itself in place.
    On cancellation it stops the command and the command's processes before it returns.
    """
    guarded = [sys.executable, "-I", "-S", str(GUARD), *command]
    process = await asyncio.create_subprocess_exec(
        *guarded, cwd=project, env={**make_environment(), **environment}, start_new_session=True,
        stdin=PIPE, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        output, errors = await asyncio.gather(
            read_lines(process.stdout, on_line=on_output), read_lines(process.stderr, on_piece=on_errors)
        )
        return Outcome(await process.wait(), output, errors)
    finally:
        process.stdin.close()
        # Prefect's time limit cancels at every await; without the shield, a retry would start before the old try ended.
        with CancelScope(shield=True):
            await process.wait()


def make_environment() -> dict[str, str]:
    """This process's environment with this Python's commands first on PATH, unbuffered output and the terminal size."""
    size = shutil.get_terminal_size()
    commands = Path(sys.executable).parent
    return {
        # Concurrent trainings take twenty times as long where waiting OpenMP threads spin on each other's cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONUNBUFFERED": "1",
        # `read_lines` expects it; the terminal, which may show less, is this process's.
        "PYTHONIOENCODING": "utf-8",
        # A process whose output is a pipe cannot query the terminal's width for its progress bar.
        "COLUMNS": str(size.columns),
        "LINES": str(size.lines),
    }


async def read_lines(
    stream: asyncio.StreamReader, on_line: Listen | None = None, on_piece: Listen | None = None
) -> list[str]:
    """Read all lines of `stream`, passing each on as it comes; of a redrawn progress bar, keep only the final text."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    lines: list[str] = []
    unfinished = ""
    while piece := await stream.read(CHUNK_BYTES):
        text = decoder.decode(piece)
        if on_piece:
            on_piece(text)
        *complete, unfinished = (unfinished + text).split("\n")
        for line in complete:
            lines.append(line.rstrip("\r").rpartition("\r")[2])
            if on_line:
                on_line(lines[-1])
    if unfinished:
        lines.append(unfinished.rpartition("\r")[2])
        if on_line:
            on_line(lines[-1])
    return lines
