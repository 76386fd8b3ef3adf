"""A small disk that fills, a real one: a tmpfs in a namespace of its own. A clear error, and the last good state stays.

What stands below under "inside" runs in that namespace, in the folder that is the disk.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.killed_training import PROJECT, TRAIN, make_repository
from support.mount_namespace import ALONE, can_mount

from pixelwise.identity import sha256_file

TESTS = Path(__file__).resolve().parent
MOUNT = 'mount -t tmpfs -o size={size} tmpfs . && cd "$PWD" && exec "$0" -c "import test_full_disk as t; t.{inside}()"'
NO_ROOM = re.compile(r"error: .*No space left on device.*")


pytestmark = [pytest.mark.slow, pytest.mark.skipif(not can_mount(), reason="no mount namespace here")]


def on_small_disk(folder, size, inside):
    """Call a function of this module in a process for which `folder` is a disk of this size."""
    folder.mkdir()
    paths = os.pathsep.join(map(str, (PROJECT, PROJECT / "tests", TESTS)))
    done = subprocess.run(
        [*ALONE, "sh", "-c", MOUNT.format(size=size, inside=inside.__name__), sys.executable],
        cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def pixelwise(command):
    """The status of a command, and what it says last."""
    done = subprocess.run(
        [sys.executable, "-m", "pixelwise.cli", *command.split()], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, (done.stderr or done.stdout).splitlines()[-1]


def make_room():
    subprocess.run(["mount", "-o", "remount,size=200m", "."], check=True)


def hashes(folder):
    return {path: sha256_file(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()}


# Inside.


def ingest_inside():
    ingest = "ingest --dataset town --out prepared"
    town = "ingest: {{town: {{train_clips: 2, val_clips: 1, test_clips: 1, frames: {}, width: 64, height: 64}}}}\n"
    Path("params.yaml").write_text(town.format(2))
    assert pixelwise(ingest)[0] == 0
    before = hashes("prepared")
    Path("params.yaml").write_text(town.format(30))
    status, said = pixelwise(ingest)
    assert (status, bool(NO_ROOM.fullmatch(said))) == (1, True), said
    assert hashes("prepared") == before
    make_room()
    assert pixelwise(ingest)[0] == 0
    assert hashes("prepared") != before


def train_inside():
    """On a disk that holds one epoch's state, but not the next one's beside it."""
    from support.killed_training import epochs_kept

    here = Path.cwd()
    shutil.copytree("../repository/data", "data")
    shutil.copyfile("../repository/params.yaml", "params.yaml")
    train = TRAIN.partition("pixelwise.cli ")[2] + " --tracking none"
    status, said = pixelwise(train)
    assert (status, bool(NO_ROOM.fullmatch(said))) == (1, True), said
    assert epochs_kept(here) > 0
    assert not list(here.rglob("*.tmp"))
    assert not Path("model/checkpoint/run.json").exists()
    make_room()
    assert pixelwise(train)[0] == 0
    Path("../weights.txt").write_text(sha256_file(Path("model/checkpoint/weights.safetensors")))


# Outside.


def test_an_ingest_that_fills_the_disk_says_so_in_one_line_and_the_last_data_stays(tmp_path):
    on_small_disk(tmp_path / "disk", "200k", ingest_inside)


def test_a_training_that_fills_the_disk_says_so_in_one_line_and_goes_on_once_there_is_room(tmp_path):
    repository = make_repository(tmp_path / "repository", epochs=3)
    on_small_disk(tmp_path / "disk", "75m", train_inside)
    command = [sys.executable, "-m", "pixelwise.cli", *TRAIN.partition("pixelwise.cli ")[2].split()]
    subprocess.run(
        [*command, "--tracking", "none"], cwd=repository, env=os.environ | {"PYTHONPATH": str(PROJECT)}, check=True
    )
    undisturbed = sha256_file(repository / "model/checkpoint/weights.safetensors")
    assert (tmp_path / "weights.txt").read_text() == undisturbed
