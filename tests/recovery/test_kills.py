"""A training that is killed at any instant, by the command line and under DVC, ends as if it had not been."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from support import killed_training
from support.killed_training import curve, kill_again_and_again, make_repository, start, survivors, wait_until_alone

from pixelwise.identity import sha256_file

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kills process groups")]
SEEDS = (0, 1, 2, 3, 4)
KILLS = 10
EPOCHS = 30


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A repository whose training has ended in peace, how long that took, and its hash and curve."""
    folder = make_repository(tmp_path_factory.mktemp("kills") / "whole", EPOCHS)
    seconds = killed_training.train(folder)
    return folder, seconds, sha256_file(folder / killed_training.WEIGHTS), curve(folder)


@pytest.mark.parametrize("seed", SEEDS)
def test_kills_at_random_moments_each_followed_by_a_rerun_end_in_the_same_weights(undisturbed, seed):
    folder, seconds, weights, history = undisturbed
    done = kill_again_and_again(folder, KILLS, seed, seconds)
    print(f"\nseed {seed}, {seconds:.0f} s undisturbed: {list(zip(done.victims, done.epochs, strict=True))}")
    print(f"{len(done.hashes)} trainings ended, as {set(done.hashes)}; undisturbed {weights}")
    assert set(done.hashes) == {weights}
    assert curve(folder) == history
    assert not survivors(folder)
    left = [path.name for path in (folder / ".state/train").iterdir()]
    assert left == ["result"], "state of a training that has ended"


def training_of(run: subprocess.Popen, folder: Path) -> psutil.Process:
    """The training process below `run`, once an epoch of it is kept."""
    end = time.monotonic() + killed_training.MOST_SECONDS
    while time.monotonic() < end and run.poll() is None:
        for process in psutil.Process(run.pid).children(recursive=True):
            if "pixelwise.cli" in process.cmdline() and killed_training.epochs_kept(folder):
                return process
        time.sleep(0.05)
    raise AssertionError((folder / "log.txt").read_text()[-2000:])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_asked_to_stop_says_how_to_go_on_and_does(undisturbed, number):
    folder, _, weights, _ = undisturbed
    run = start(folder)
    training = training_of(run, folder)
    training.send_signal(number)
    assert run.wait(60) != 0
    wait_until_alone(folder)
    assert "stopped; run the same command to resume" in (folder / "log.txt").read_text()
    assert killed_training.epochs_kept(folder) > 0
    killed_training.train(folder)
    assert sha256_file(folder / killed_training.WEIGHTS) == weights
