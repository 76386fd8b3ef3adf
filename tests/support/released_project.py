"""A small project of three versions of fcn: two are released, and the parameters of the third are at hand."""

import os
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import yaml
from PIL import Image

from components import promote, register
from pixelwise.families.fcn.family import TrainParams
from pixelwise.families.options import ReleaseParams
from pixelwise.families.origin import origin
from pixelwise.identity import sha256_file
from pixelwise.params import parse, read_section
from support.bright_model import write, write_evaluation, write_onnx
from support.dvc_repository import repro
from support.places import COMMANDS
from support.small_project import TRAIN_STAGE, commit, make_project


class Version(NamedTuple):
    """What makes a version: its rate of learning, and the graph and scores that its training is said to have given."""

    rate: float
    threshold: int
    accuracy: float


VERSIONS = {1: Version(0.001, 50, 0.85), 2: Version(0.002, 100, 0.9), 3: Version(0.003, 150, 0.95)}
PICTURE = "street.png"
LIMITS = ReleaseParams(mean_iu_floor=0.5, resamples=200)
# The training is real. What comes after it takes most of a run and is made once, for each rate.
STAGES = (
    """\
stages:
  ingest:
    cmd: cp -r made/prepared data
    deps: [made/prepared]
    outs: [data/prepared]
"""
    + TRAIN_STAGE
    + """\
  evaluate:
    foreach: [fcn]
    do:
      cmd: >-
        cp -r made/${fcn.train.learning_rate}/onnx made/${fcn.train.learning_rate}/export.json models/fcn
        && mkdir -p reports/fcn && cp -r made/${fcn.train.learning_rate}/evaluate reports/fcn
      deps: ["made/${fcn.train.learning_rate}", models/fcn/checkpoint]
      outs: [models/fcn/onnx, models/fcn/export.json, reports/fcn/evaluate]
"""
)


def make_unreleased(folder: Path, town: Path, *others: dict[str, Any]) -> Path:
    """The project before its first run. others: parameters laid over the small ones."""
    make_project(folder, {"fcn": {"train": {"epochs": 1}}}, *others)
    (folder / "dvc.yaml").write_text(STAGES)
    shutil.copytree(town, folder / "made/prepared")
    for number in VERSIONS:
        make_what_follows(folder, number)
    # Rows that are brighter than one, two and three thresholds.
    rows = np.repeat([[75], [125], [175]], 8, axis=0).repeat(32, axis=1)
    Image.fromarray(np.repeat(rows[..., None], 3, axis=2).astype(np.uint8)).save(folder / PICTURE)
    set_version(folder, 1)
    commit(folder)
    return folder


def make_what_follows(folder: Path, number: int) -> None:
    """The graph and the evaluation of a version, by the fingerprint that its training will have."""
    version, data = VERSIONS[number], folder / "made/prepared"
    set_version(folder, number)
    params = parse(TrainParams, read_section(folder / "params.yaml", "fcn.train"), "fcn.train")
    fingerprint, made = origin(params, "fcn", data)["fingerprint"], folder / f"made/{version.rate}"
    write_onnx(made / "onnx/model.onnx", version.threshold, fingerprint=fingerprint)
    write(made / "export.json", {"parity": 0.9999, "fingerprint": fingerprint})
    graph, manifest = sha256_file(made / "onnx/model.onnx"), sha256_file(data / "manifest.parquet")
    write_evaluation(made / "evaluate", graph, version.accuracy, data=manifest)


def set_version(folder: Path, number: int) -> None:
    """Edit params.yaml, as a user does: the next training is that of a version."""
    file = folder / "params.yaml"
    values = yaml.safe_load(file.read_text())
    values["fcn"]["train"]["learning_rate"] = VERSIONS[number].rate
    file.write_text(yaml.safe_dump(values))


def count_bright(folder: Path) -> int:
    """How many of the three brightnesses the prediction in `folder` calls bright; that of version N does of 4 - N."""
    return len(np.unique(np.argwhere(np.array(Image.open(folder / "street.label.png")) == 1)[:, 0])) // 8


def release(folder: Path, number: int, store: str) -> None:
    """Train, register and promote a version. DVC runs in this process: its start takes longer than the stages."""
    set_version(folder, number)
    with patch.dict(os.environ, {"PATH": os.pathsep.join((str(COMMANDS), os.environ["PATH"]))}):
        repro(folder)
    with chdir(folder):
        register.run("fcn", Path("models/fcn"), Path("reports/fcn/evaluate"), tracking=store)
        assert promote.run(LIMITS, "fcn", tracking=store).outcome == "promoted"


def commit_all(folder: Path) -> None:
    """Commit all that git does not ignore, as somebody whom the repository knows, for DVC commits its experiments."""
    for command in ("config user.name somebody", "config user.email somebody@example.org"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    commit(folder)


def copy(folder: Path, to: Path) -> Path:
    """A copy, with the times of the files, as DVC compares them."""
    subprocess.run(["cp", "--archive", str(folder), str(to)], check=True)
    return to
