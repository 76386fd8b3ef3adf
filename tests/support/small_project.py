"""This whole project on a town so small that a run of the pipeline is mostly the start of its processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from pixelwise.params import merge
from support.dvc_repository import PROJECT, copy_code
from support.tiny_nets import TINY_BACKBONE

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
FILES = ("dvc.yaml", "prefect.yaml", "prefect.toml", ".gitignore", ".dvcignore")
EPOCHS = 3
# The stage of a real training, for a dvc.yaml whose other stages copy what was made once.
TRAIN_STAGE = """\
  train:
    foreach: [fcn]
    do:
      cmd: pixelwise train --family fcn --data data/prepared --out models/fcn/checkpoint --state .state/train-fcn
      params: [fcn.train]
      deps: [data/prepared]
      outs: [models/fcn/checkpoint]
"""
SMALL = {
    "ingest": {"town": {"train_clips": 3, "val_clips": 1, "test_clips": 1, "frames": 2, "width": 64, "height": 64}},
    "validate": {"min_images": {"train": 6, "val": 2}, "min_class_images": 0, "max_split_psi": 10},
    "fcn": {
        "train": {
            "epochs": EPOCHS, "batch_size": 2, "warmup_steps": 2, "validate_every": 1, "patience": 99, "device": "cpu",
            "augment": {"crop_width": 64, "crop_height": 64},
            "network": {"backbone": TINY_BACKBONE, "weights": "none"},
        },
        "quantize": {"calibration_images": 2, "max_loss": 1.0, "min_speedup": 0, "repeats": 1},
        "evaluate": {"provider": "cpu"},
        "benchmark": {"width": 64, "height": 64, "batch_size": 1, "warmup": 1, "repeats": 2},
        "release": {"mean_iu_floor": 0.0, "pixel_accuracy_floor": 0.0, "parity_floor": 0.0, "resamples": 100},
    },
}  # fmt: skip


def make_project(folder: Path, *others: Mapping[str, Any]) -> Path:
    """A checkout with one commit, of which nothing has run. others: parameters laid over the small ones."""
    copy_code(folder)
    for name in FILES:
        shutil.copy(PROJECT / name, folder)
    (folder / "data").mkdir()
    (folder / "data/accepted.json").write_text("{}\n")
    values = merge(yaml.safe_load((PROJECT / "params.yaml").read_text()), SMALL, *others)
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    shutil.copytree(PROJECT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit all that git does not ignore."""
    subprocess.run([*GIT, "add", "--all"], cwd=folder, check=True)
    subprocess.run([*GIT, "commit", "--quiet", "--message", "What lies here"], cwd=folder, check=True)


def pixelwise(folder: Path, *command: str, **more: str) -> tuple[int, str]:
    """The status of a command in a checkout, and all that it prints."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PREFECT_API_URL": "", **more}
    done = subprocess.run(
        [sys.executable, "-m", "pixelwise.cli", *command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
