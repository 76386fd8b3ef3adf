"""A repository whose one DVC stage trains a tiny net, and a hand that kills what runs there at seeded moments."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from components import ingest
from pixelwise.data.town import TownParams
from pixelwise.dvc_lock import remove_truncated_lock
from pixelwise.identity import sha256_file

PROJECT = Path(__file__).resolve().parents[2]
WEIGHTS = "model/checkpoint/weights.safetensors"
TRAIN = "{python} -m pixelwise.cli train --family fcn --data data --out model/checkpoint --state .state/train"
# Every process that a run starts inherits it, whoever its parent becomes.
MARK = "PIXELWISE_KILLED_RUN"
MOST_SECONDS = 300


def make_repository(folder: Path, epochs: int) -> Path:
    """A git and DVC repository at `folder` with a prepared town of 64 by 64 and a training of so many `epochs`."""
    town = TownParams(train_clips=3, val_clips=1, test_clips=1, frames=2, width=64, height=64)
    ingest.run(ingest.IngestParams(dataset="town", town=town), folder / "data")
    crop = {"crop_width": 64, "crop_height": 64}
    train = {"epochs": epochs, "batch_size": 2, "warmup_steps": 2, "validate_every": 1, "patience": 99, "augment": crop}
    stage = {"cmd": TRAIN.format(python=sys.executable), "deps": ["data"], "outs": ["model/checkpoint"]}
    (folder / "params.yaml").write_text(yaml.safe_dump({"fcn": {"train": train | {"device": "cpu"}}}))
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"train-fcn": stage}}))
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], cwd=folder, check=True)
    return folder


def start(folder: Path, tracking: str = "none") -> subprocess.Popen:
    """`dvc repro` of the training as `pixelwise run` begins it, in a process group of its own."""
    remove_truncated_lock(folder)
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MLFLOW_TRACKING_URI": tracking, MARK: str(folder)}
    # Not from DVC's run cache, which would give the finished training back.
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "--force", "--no-run-cache", "train-fcn"]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


def survivors(folder: Path) -> list[psutil.Process]:
    """The processes of runs in `folder` that are alive."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until_alone(folder: Path, seconds: float = 20.0) -> None:
    """Return when nothing of a run is left; fail where something stays."""
    end = time.monotonic() + seconds
    while left := survivors(folder):
        assert time.monotonic() < end, f"orphans: {[(process.pid, process.cmdline()) for process in left]}"
        time.sleep(0.05)


def train(folder: Path, tracking: str = "none") -> float:
    """A run to its end; returns the seconds that it took."""
    begun = time.monotonic()
    assert start(folder, tracking).wait(MOST_SECONDS) == 0, (folder / "log.txt").read_text()[-2000:]
    return time.monotonic() - begun


@dataclass
class Killed:
    """What came of the kills: on whom they fell, how far the training was, and the weights of the runs that ended."""

    victims: list[str] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)


def kill_again_and_again(folder: Path, kills: int, seed: int, seconds: float, tracking: str = "none") -> Killed:
    """Kill a training of `seconds` at `kills` moments, each drawn evenly from all of it, and run it again each time.

    The victim is the whole process group or one of its processes. A run that ends first is followed by a new training.
    """
    rng, done = random.Random(seed), Killed()
    while len(done.victims) < kills:
        run, moment = start(folder, tracking), rng.uniform(0, seconds)
        try:
            status = run.wait(moment)
        except subprocess.TimeoutExpired:
            done.victims.append(kill(run, rng))
            run.wait(20)
            wait_until_alone(folder)
            done.epochs.append(epochs_kept(folder))
            continue
        assert status == 0, (folder / "log.txt").read_text()[-2000:]
        done.hashes.append(sha256_file(folder / WEIGHTS))
    train(folder, tracking)
    done.hashes.append(sha256_file(folder / WEIGHTS))
    wait_until_alone(folder)
    return done


def kill(run: subprocess.Popen, rng: random.Random) -> str:
    """SIGKILL to the group of `run`, or to one process of it; says to whom."""
    if rng.random() < 0.5:
        os.killpg(run.pid, signal.SIGKILL)
        return "group"
    with suppress(psutil.Error):
        processes = [run_process := psutil.Process(run.pid), *run_process.children(recursive=True)]
        victim = rng.choice(processes)
        name = "training" if "pixelwise.cli" in victim.cmdline() else "dvc" if victim.pid == run.pid else "other"
        victim.kill()
        return name
    return "nobody"


def epochs_kept(folder: Path) -> int:
    """How many epochs the resumable state holds; 0 where there is none, and the result where it is whole."""
    from pixelwise.training.checkpoints import load_tensors

    for state in folder.glob(".state/train/*/state.safetensors"):
        return int(load_tensors(state)[1]["epoch"])
    return 0


def curve(folder: Path) -> list[dict[str, float]]:
    """The history of the finished training without its clocks."""
    rows = json.loads((folder / "model/checkpoint/history.json").read_text())
    return [{key: value for key, value in row.items() if key not in {"seconds", "images_per_second"}} for row in rows]
