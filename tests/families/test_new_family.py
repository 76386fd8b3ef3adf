"""A family that is added as CONTRIBUTING.md says: its room, a section of params.yaml, one line of dvc.yaml."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import yaml
from support.dvc_repository import PROJECT, copy_code, replace, repro

TOWN = {"train_clips": 2, "val_clips": 1, "test_clips": 1, "frames": 2, "width": 128, "height": 96}
LOOSE = {"min_images": {}, "min_class_images": 0, "min_class_share": 0.0, "max_split_psi": 99.0}
TRAINING = {"epochs": 1, "batch_size": 2, "warmup_steps": 1, "network": {"hidden": 4}}


def family_of_the_guide() -> str:
    """The code in the section of CONTRIBUTING.md about families."""
    section = (PROJECT / "CONTRIBUTING.md").read_text().partition("## Add a family\n")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return code


def make_checkout(folder: Path) -> Path:
    """This project's code and pipeline on a town of six pictures."""
    copy_code(folder)
    for name in ("dvc.yaml", "params.yaml", ".gitignore", "data/accepted.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, folder / name)
    shutil.copytree(PROJECT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["ingest"]["town"] |= TOWN
    params["validate"] |= LOOSE
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


def add_family(checkout: Path) -> None:
    """All that a contributor does."""
    room = checkout / "pixelwise/families/colour"
    room.mkdir()
    (room / "__init__.py").write_text('"""The colour family."""\n')
    (room / "family.py").write_text(family_of_the_guide())
    section = yaml.safe_dump({"colour": {"train": TRAINING, "export": {}, "benchmark": {}, "evaluate": {}}})
    with (checkout / "params.yaml").open("a") as file:
        file.write(section)
    dvc_yaml = checkout / "dvc.yaml"
    (like_guided,) = re.findall(r"^ +guided: .*\n", dvc_yaml.read_text(), re.MULTILINE)
    replace(dvc_yaml, like_guided, like_guided + like_guided.replace("guided:", "colour:"))


def test_a_new_family_runs_through_the_pipeline(tmp_path, mlflow_template):
    checkout = make_checkout(tmp_path / "checkout")
    # Creating a store takes seconds.
    shutil.copy(mlflow_template, checkout / "mlflow.db")
    add_family(checkout)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with patch.dict(os.environ, {"PATH": path, "PYTHONPATH": ""}):
        said = "\n".join(repro(checkout, ["evaluate@colour"]))
    scores = json.loads((checkout / "reports/colour/metrics.json").read_text())
    assert 0 <= scores["mean_iu"] <= scores["pixel_accuracy"] <= 1
    assert scores["images"] == TOWN["frames"] * TOWN["val_clips"]
    ran = set(re.findall(r"^Running stage '(.+)':$", said, re.MULTILINE))
    assert ran == {"code", "ingest", "validate", "train@colour", "export@colour", "evaluate@colour"}
