"""A tiny model, trained from a repository of its own, and made again from what the registry keeps of it."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.bright_model import write_evaluation
from support.tiny_nets import TINY_BACKBONE

from components import export, register
from pixelwise.errors import DataError
from pixelwise.families.fcn import family as fcn
from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import identify
from pixelwise.registry.lineage import read_origin
from pixelwise.tools import reproduce, why
from pixelwise.tools.reproduce import ReproductionError
from pixelwise.tracking.runs import read_run
from pixelwise.tracking.store import connect

PROJECT = Path(__file__).resolve().parents[2]
GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@t"]
CROP = {"crop_width": 64, "crop_height": 64}
TINY = {"epochs": 1, "batch_size": 2, "warmup_steps": 1, "validate_every": 1, "device": "cpu", "augment": CROP}
TINY["network"] = {"backbone": TINY_BACKBONE, "weights": "none"}
TINY_FCN = fcn.TrainParams(**TINY).model_dump(mode="json")


class World:
    """A repository with a commit, prepared data, a store, and version 1 of fcn in it."""

    def __init__(self, folder, data):
        self.folder, self.repository, self.data = folder, folder / "repository", data
        self.model, self.store = folder / "made" / "fcn", f"sqlite:///{folder}/mlflow.db"

    def commit(self):
        for name in ("components", "flows", "pixelwise"):
            shutil.copytree(PROJECT / name, self.repository / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("requirements.lock", "params.yaml", ".gitignore"):
            shutil.copy(PROJECT / name, self.repository)
        for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
            subprocess.run([*GIT, *command], cwd=self.repository, check=True)

    def train(self, family="fcn", parameters=TINY_FCN, options=()):
        model, params = self.model.with_name(family), self.folder / f"{family}.yaml"
        params.write_text(yaml.safe_dump({family: {"train": parameters}}))
        command = [sys.executable, "-m", "components.train", "--params", str(params), "--data", str(self.data)]
        command += ["--family", family, "--out", str(model / "checkpoint"), "--state", str(self.folder / "state")]
        environment = os.environ | {"PYTHONPATH": str(self.repository)}
        command += ["--tracking", self.store, *options]
        subprocess.run(command, cwd=self.repository, env=environment, check=True)
        export.run(export.ExportParams(), model / "checkpoint", model)

    def register(self, family="fcn"):
        model = self.model.with_name(family)
        write_evaluation(model / "evaluate", identify(model), 0.9, data=sha256_file(self.data / "manifest.parquet"))
        register.run(family, model, model / "evaluate", tracking=self.store)

    def reproduce(self, data=None, repository=None, family="fcn"):
        reference = f"models:/{family}@challenger"
        return reproduce.run([reference], data or self.data, repository or self.repository, self.store)


@pytest.fixture(scope="module")
def world(tmp_path_factory, mlflow_template, tiny_town):
    made = World(tmp_path_factory.mktemp("reproduce"), tiny_town)
    shutil.copy(mlflow_template, made.folder / "mlflow.db")
    made.repository.mkdir()
    made.commit()
    made.train()
    made.register()
    return made


def test_a_shallow_clone_that_lacks_the_commit_is_named_with_the_remedy(tmp_path):
    full, shallow = tmp_path / "full", tmp_path / "shallow"
    subprocess.run([*GIT, "init", "-q", str(full)], check=True)
    for name in ("one", "two"):
        subprocess.run([*GIT, "commit", "-q", "--allow-empty", "-m", name], cwd=full, check=True)
    first = subprocess.check_output([*GIT, "rev-parse", "HEAD~1"], cwd=full, text=True).strip()
    subprocess.run([*GIT, "clone", "-q", "--depth", "1", full.as_uri(), str(shallow)], check=True)
    reproduce.require_commit(full, first, "models:/fcn/1")
    with pytest.raises(ReproductionError, match=f"{first}; this clone is shallow: git fetch --unshallow"):
        reproduce.require_commit(shallow, first, "models:/fcn/1")


@pytest.mark.slow
def test_lineage_leads_from_a_version_to_all_that_it_was_made_of(world):
    origin, trained = (
        read_origin("models:/fcn@challenger", world.store),
        read_run(world.model / "checkpoint" / "run.json"),
    )
    head = subprocess.run([*GIT, "rev-parse", "HEAD"], cwd=world.repository, capture_output=True, text=True, check=True)
    assert origin.parts["parameters"] == TINY_FCN
    assert origin.parts["data"] == sha256_file(world.data / "dataset.json")
    assert origin.manifest == json.loads((world.data / "dataset.json").read_text())["manifest_sha256"]
    assert origin.parts["environment"]["numpy"] == np.__version__
    assert origin.parts["code"] == trained["parts"]["code"]
    assert (origin.run_id, origin.fingerprint) == (trained["run_id"], trained["fingerprint"])
    assert origin.commit == head.stdout.strip()
    assert connect(world.store).get_run(origin.run_id).data.tags["fingerprint"] == origin.fingerprint
    assert origin.files["onnx/model.onnx"] == sha256_file(world.model / "onnx/model.onnx")
    text = str(why.run(["models:/fcn/1"], PROJECT, world.store))
    assert "torch" in origin.parts["environment"]
    for name, version in origin.parts["environment"].items():
        assert re.search(rf"{re.escape(name)} +{re.escape(version)}, the same here", text)
    assert f"  code         {origin.parts['code']}, the same here" in text
    assert "  parameter    fcn.train.epochs: 1, here 12" in text


@pytest.mark.slow
@pytest.mark.covers("reproduce", "fcn")
def test_a_model_is_made_again_to_the_bit_and_other_data_and_lost_commits_are_named(world, tmp_path):
    found = world.reproduce()
    assert found.different == []
    names = [part.name for part in found.parts]
    assert names[-2:] == ["checkpoint/weights.safetensors", "onnx/model.onnx"]
    assert found.parts[-1].found == sha256_file(world.model / "onnx/model.onnx")
    other = shutil.copytree(world.data, tmp_path / "other")
    (other / "dataset.json").write_text((other / "dataset.json").read_text() + " ")
    # Of other data no training is begun.
    found = world.reproduce(other)
    assert found.different == ["data"]
    assert "data: DIFFERENT: found" in str(found)
    assert len(found.parts) < len(names)
    (other / "manifest.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"manifest\.parquet: found sha256"):
        world.reproduce(other)
    subprocess.run([*GIT, "init", "-q", str(tmp_path / "empty")], check=True)
    with pytest.raises(ReproductionError, match=r"has no commit [0-9a-f]{40}; fetch it"):
        world.reproduce(repository=tmp_path / "empty")


@pytest.mark.slow
def test_another_version_of_a_library_is_named_before_anything_is_trained(world, monkeypatch):
    origin = read_origin("models:/fcn@challenger", world.store)
    environment = {**origin.parts["environment"], "torch": "1.0"}
    other = dataclasses.replace(origin, parts={**origin.parts, "environment": environment})
    monkeypatch.setattr(reproduce, "read_origin", lambda *_: other)
    found = world.reproduce()
    assert found.different == ["torch"]
    assert "torch: DIFFERENT: found" in str(found)


@pytest.mark.slow
@pytest.mark.covers("reproduce", "clockwork")
def test_a_clockwork_is_made_again_from_its_fcn(world):
    world.train("clockwork", {"pairs": 4, "steps": 4}, ["--start", str(world.model / "checkpoint")])
    world.register("clockwork")
    found = world.reproduce(family="clockwork")
    made = {part.name for part in found.parts}
    assert {"checkpoint/weights.safetensors", "onnx/model.onnx", "onnx/stage1.onnx", "onnx/change.onnx"} <= made
    assert found.different == []


@pytest.mark.slow
@pytest.mark.covers("reproduce", "guided")
def test_a_guided_model_is_made_again_with_every_graph(world):
    few = {**TINY, "val_episodes": 2, "network": {**TINY["network"], "hidden": 8}}
    world.train("guided", few)
    world.register("guided")
    found = world.reproduce(family="guided")
    assert found.different == []
    made = {part.name for part in found.parts}
    assert {f"onnx/{graph}.onnx" for graph in ("encode", "guide", "segment", "foreground")} <= made


@pytest.mark.slow
@pytest.mark.covers("reproduce", "composition")
def test_a_model_that_starts_from_another_is_made_again_from_that_one_made_again(world):
    checkpoint = world.model / "checkpoint"
    compose = {"compose": {"filter": "blur", "where": ["fusion.score.*"]}}
    world.train("composition", {**TINY, "network": compose}, ["--start", str(checkpoint)])
    world.register("composition")
    assert read_origin("models:/composition@challenger", world.store).start == {
        "family": "fcn",
        **json.loads((checkpoint / "run.json").read_text()),
    }
    found = world.reproduce(family="composition")
    assert found.different == []
    assert "checkpoint/weights.safetensors" in [part.name for part in found.parts]
