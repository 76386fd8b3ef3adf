import subprocess
import sys
from pathlib import Path

from flows.lock import run_lock

PROJECT = Path(__file__).resolve().parents[2]
HOLD = """
import pathlib, sys, flows.lock
with flows.lock.run_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def test_the_lock_is_one_runs_at_a_time_and_free_after_it(tmp_path):
    with run_lock(tmp_path / "lock") as is_ours, run_lock(tmp_path / "lock") as is_anothers:
        assert (is_ours, is_anothers) == (True, False)
    with run_lock(tmp_path / "lock") as is_ours:
        assert is_ours


def test_a_killed_holder_leaves_the_lock_free(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with run_lock(tmp_path / "lock") as is_ours:
            assert not is_ours
        holder.kill()
    with run_lock(tmp_path / "lock") as is_ours:
        assert is_ours
