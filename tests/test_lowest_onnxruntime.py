"""The lowest ONNX Runtime that pyproject.toml allows opens the graphs of each family, installed by itself."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from support.clockwork_model import moving
from support.family_models import copy_plain_net
from support.tiny_nets import TINY_BACKBONE
from support.wheel import PROJECT, build_wheel

import pixelwise
from components import export, train
from pixelwise.families.composition import family as composition

SERVE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["serve"]
(CPU, GPU) = (next(r for r in map(Requirement, SERVE) if r.name == name) for name in ("onnxruntime", "onnxruntime-gpu"))
LOWEST = next(clause.version for clause in CPU.specifier if clause.operator == ">=")
# What the environment with the lowest ONNX Runtime runs: the labels of `frames.npy` by each family's model, to the
# file `labels.npz`. A guided model has no labels without guidance.
CODE = """
import sys
from pathlib import Path
import numpy as np, onnxruntime, pixelwise
frames = np.load("frames.npy")
labels = {name: pixelwise.open_model(Path(name), "cpu").predict(frames) for name in ("fcn", "composition")}
video = pixelwise.open_video_model(Path("clockwork"), "carry:2", "cpu")
labels["clockwork"] = np.stack([video.step(frame).prediction for frame in frames])
pixelwise.GuidedModel(Path("guided"), "cpu")
np.savez("labels.npz", **labels)
print(onnxruntime.__version__)
"""


def test_documentation_and_both_packages_name_one_lowest_version():
    assert CPU.specifier == GPU.specifier
    assert f"ONNX Runtime {LOWEST} or later" in (PROJECT / "docs/how-to/serving.md").read_text()


@pytest.fixture
def world(tmp_path, clockwork_model, guided_folder, tiny_town):
    """A model of each family, and frames to label."""
    (tmp_path / "clockwork").symlink_to(clockwork_model)
    (tmp_path / "guided").symlink_to(guided_folder)
    (tmp_path / "fcn").mkdir()
    copy_plain_net(clockwork_model, tmp_path / "fcn", "fcn")
    settings = {"epochs": 1, "batch_size": 2, "warmup_steps": 0, "loader_threads": 1, "device": "cpu"}
    compose = {"where": ["output", "decoder"], "filter": "dynamic", "covariance": "full"}
    settings["network"] = {"backbone": TINY_BACKBONE, "weights": "none", "strides": [8], "compose": compose}
    settings["augment"] = {"crop_width": 64, "crop_height": 64}
    made = tmp_path / "composition"
    params = composition.TrainParams.model_validate(settings)
    train.run(params, "composition", tiny_town, made / "checkpoint", tmp_path / "state", "none")
    export.run(export.ExportParams(), made / "checkpoint", made)
    np.save(tmp_path / "frames.npy", np.stack(moving(3)))
    return tmp_path


@pytest.mark.slow
def test_the_lowest_version_labels_as_the_locked_one(world):
    python = install(world, build_wheel(world / "built"))
    done = subprocess.run([python, "-c", CODE], cwd=world, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1].startswith(LOWEST)
    found, frames = np.load(world / "labels.npz"), np.load(world / "frames.npy")
    video = pixelwise.open_video_model(world / "clockwork", "carry:2", "cpu")
    expected = {name: pixelwise.open_model(world / name, "cpu").predict(frames) for name in ("fcn", "composition")}
    expected["clockwork"] = np.stack([video.step(frame).prediction for frame in frames])
    # Another version may add in another order, which decides between classes of nearly equal scores.
    assert {name: np.mean(found[name] == labels) > 0.999 for name, labels in expected.items()} == dict.fromkeys(
        expected, True
    )


def install(folder: Path, wheel: Path) -> Path:
    """A new environment with the packages of `serve` and the lowest ONNX Runtime; returns its Python."""
    python = folder / "venv/bin/python"
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    # The package for CUDA is ten times as large, and has the same code for the CPU.
    (folder / "override.txt").write_text(f"{GPU.name}; sys_platform == 'none'\n{CPU.name}=={LOWEST}\n")
    (folder / "constraint.txt").write_text(list_locked())
    command = ["uv", "pip", "install", "--quiet", "--python", python, f"{wheel}[serve]", f"{CPU.name}=={LOWEST}"]
    command += ["--override", folder / "override.txt", "--constraint", folder / "constraint.txt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for reason in ("error sending request", "no wheels with a matching Python"):
        if reason in done.stderr:
            pytest.skip(f"cannot be installed here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return python


def list_locked() -> str:
    """The locked version of every package but ONNX Runtime's, and what only that needs."""
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    pinned = [line.removesuffix("\\").strip() for line in lines if line[:1].isalnum() and "==" in line]
    return "\n".join(line for line in pinned if not line.startswith("onnxruntime"))
