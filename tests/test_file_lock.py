import subprocess
import sys
from pathlib import Path

from pixelwise.file_lock import hold_lock

PROJECT = Path(__file__).resolve().parents[1]
HOLD = """
import pathlib, sys
from pixelwise.file_lock import hold_lock
with hold_lock(pathlib.Path(sys.argv[1]), waits=False):
    print("held", flush=True)
    input()
"""


def test_the_lock_is_one_runs_at_a_time_and_free_after_it(tmp_path):
    with hold_lock(tmp_path / "lock", waits=False) as is_ours, hold_lock(tmp_path / "lock", waits=False) as is_anothers:
        assert (is_ours, is_anothers) == (True, False)
    with hold_lock(tmp_path / "lock", waits=False) as is_ours:
        assert is_ours


def test_a_killed_holder_leaves_the_lock_free(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        with hold_lock(tmp_path / "lock", waits=False) as is_ours:
            assert not is_ours
        holder.kill()
    with hold_lock(tmp_path / "lock", waits=False) as is_ours:
        assert is_ours
