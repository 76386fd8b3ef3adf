"""A training killed at random moments, or as it writes, in processes that were forked with all imports done."""

import json
import os
import random
import time
from pathlib import Path

import psutil
import pytest
from support.forks import FORKS, train_fcn

from pixelwise.identity import sha256_file

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks")


def run(*args) -> int:
    """The exit status of a training in a process of its own."""
    process = FORKS.Process(target=train_fcn, args=args)
    process.start()
    process.join()
    return process.exitcode


@pytest.fixture(scope="module")
def data(tiny_town):
    return tiny_town


@pytest.fixture(scope="module")
def after_one_epoch(data, tmp_path_factory):
    """The result of a training of one epoch in peace."""
    place = tmp_path_factory.mktemp("whole")
    assert run(data, place, 1) == 0
    return result(place)


def result(place: Path) -> tuple[str, list]:
    """The hash of the weights, and the curves without their clocks."""
    rows = json.loads((place / "checkpoint/history.json").read_text())
    curves = [{k: v for k, v in row.items() if k not in {"seconds", "images_per_second"}} for row in rows]
    return sha256_file(place / "checkpoint/weights.safetensors"), curves


def undisturbed(data, place, epochs):
    """The result of a training in peace, and the seconds that it took."""
    assert run(data, place / "first", epochs) == 0
    begun = time.monotonic()
    assert run(data, place, epochs) == 0
    return result(place), time.monotonic() - begun


def kill_at_random(data: Path, place: Path, epochs: int, kills: int, seed: int) -> None:
    """Kill `kills` times at moments drawn evenly from a whole training, each time run again, and compare."""
    expected, seconds = undisturbed(data, place / "whole", epochs)
    rng, killed, ended, folder = random.Random(seed), 0, 0, place / "0"
    while killed < kills:
        process = FORKS.Process(target=train_fcn, args=(data, folder, epochs))
        process.start()
        process.join(rng.uniform(0, seconds))
        if process.is_alive():
            children = psutil.Process(process.pid).children(recursive=True)
            process.kill()
            process.join()
            assert not [child for child in children if child.is_running()], "orphans"
        if process.exitcode:
            killed += 1
            continue
        assert result(folder) == expected
        ended += 1
        folder = place / str(ended)
    assert run(data, folder, epochs) == 0
    assert result(folder) == expected
    assert not (folder / "state").exists()
    print(f"\nseed {seed}: {killed} kills over {ended + 1} trainings of {seconds:.1f} s, all end as {expected[0]}")


def test_three_kills_at_random_moments_end_in_the_weights_of_the_undisturbed_run(data, tmp_path):
    kill_at_random(data, tmp_path, epochs=3, kills=3, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_ten_kills_at_random_moments_end_in_the_weights_of_the_undisturbed_run(data, tmp_path, seed):
    kill_at_random(data, tmp_path, epochs=4, kills=10, seed=seed)


# First the id of the run is written; per epoch two files, the best weights and the state; at the end weights, model,
# history and run.
@pytest.mark.parametrize(
    ("write", "count"),
    [
        ("replace", 3),
        ("replace", 5),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("fsync", 3), ("replace", -2), ("replace", -6))),
    ],
)
def test_a_training_that_dies_as_it_writes_leaves_nothing_that_looks_finished_and_goes_on(
    data, after_one_epoch, tmp_path, write, count
):
    assert run(data, tmp_path, 1, write, count) == 9
    assert not (tmp_path / "checkpoint/run.json").exists()
    assert run(data, tmp_path, 1) == 0
    assert result(tmp_path) == after_one_epoch
    assert not list(tmp_path.rglob("*.tmp")), "half-written files"


def test_a_training_that_dies_in_its_second_epoch_goes_on_as_the_first_left_it(data, tmp_path):
    assert run(data, tmp_path / "cut", 2, "replace", 4) == 9
    assert list((tmp_path / "cut/state").rglob("state.safetensors")), "died before the first epoch was kept"
    assert run(data, tmp_path / "cut", 2) == 0
    assert run(data, tmp_path / "whole", 2) == 0
    assert result(tmp_path / "cut") == result(tmp_path / "whole")
