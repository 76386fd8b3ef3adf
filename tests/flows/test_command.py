import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from anyio import CancelScope

from flows.command import run_command

PROJECT = Path(__file__).resolve().parents[2]
# A shell that starts a child of its own, as DVC's shell starts a training, and names it.
FAMILY_OF_TWO = ["sh", "-c", "sleep 300 & echo $! > child.txt; wait"]


def run(command, folder, pieces=None):
    lines = []
    outcome = asyncio.run(run_command(command, folder, {}, lines.append, (pieces if pieces is not None else []).append))
    return outcome, lines


def read_child(folder):
    """The process id in child.txt, once it is there."""
    for _ in range(200):
        if (folder / "child.txt").exists() and (text := (folder / "child.txt").read_text()):
            return int(text)
        time.sleep(0.1)
    raise AssertionError("the child never started")


def ends(pid):
    """Whether the process is gone, or a zombie, within the guard's grace and some."""
    for _ in range(150):
        try:
            if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.1)
    return False


def test_lines_come_as_they_are_printed_and_the_status_is_the_commands(tmp_path):
    outcome, lines = run(["sh", "-c", "echo one; printf two; echo bad >&2; exit 3"], tmp_path)
    assert (outcome.status, outcome.output, outcome.errors) == (3, ["one", "two"], ["bad"])
    assert lines == ["one", "two"]


def test_a_progress_bar_is_handed_on_raw_and_kept_as_its_last_state(tmp_path):
    pieces = []
    outcome, _ = run(["sh", "-c", r"printf '\r10%%\r100%%\n' >&2"], tmp_path, pieces)
    assert "".join(pieces) == "\r10%\r100%\n"
    assert outcome.errors == ["100%"]


def test_a_line_longer_than_any_buffer_comes_whole(tmp_path):
    outcome, _ = run([sys.executable, "-c", "print('x' * 300_000)"], tmp_path)
    assert outcome.output == ["x" * 300_000]


def test_commands_of_this_python_are_found_first(tmp_path):
    outcome, _ = run(["sh", "-c", "command -v python"], tmp_path)
    assert Path(outcome.output[0]).parent == Path(sys.executable).parent


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_command_started_ends_with_a_cancelled_flow(tmp_path):
    async def cancel():
        running = asyncio.create_task(run_command(FAMILY_OF_TWO, tmp_path, {}, print, print))
        pid = await asyncio.to_thread(read_child, tmp_path)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return pid

    assert ends(asyncio.run(cancel()))


def test_over_its_time_limit_a_command_is_gone_before_it_can_be_tried_again(tmp_path):
    slow_to_end = ["sh", "-c", "trap 'sleep 0.5; exit' TERM; echo $$; while :; do sleep 0.05; done"]
    pids = []

    async def run_until_it_is_up():
        # What Prefect's limit is: once cancelled, it cancels every await in it.
        with CancelScope() as limit:

            def note(line):
                pids.append(int(line))
                limit.cancel()

            await run_command(slow_to_end, tmp_path, {}, note, print)

    asyncio.run(run_until_it_is_up())
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_a_command_started_ends_with_a_killed_flow(tmp_path):
    code = (
        "import asyncio, pathlib, flows.command as c;"
        f"asyncio.run(c.run_command({FAMILY_OF_TWO!r}, pathlib.Path({str(tmp_path)!r}), {{}}, print, print))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT) as parent:
        pid = read_child(tmp_path)
        os.kill(parent.pid, signal.SIGKILL)
    assert ends(pid)
