"""What is edited while a stage runs is not recorded as what ran."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo
from support.dvc_repository import PROJECT, make_repository, replace

from pixelwise.digest import hash_code
from pixelwise.stage_inputs import resolve_stage

DAG = """\
stages:
  work:
    foreach: [toy]
    do:
      cmd: {python} step.py
      deps: [data.txt, "digests/${{item}}/work.json"]
      params: ["${{item}}.rate"]
      outs: [out.txt]
"""
# A step that reads its parameter, edits what EDIT says, and writes its result.
STEP = """\
import os
from pathlib import Path
from pixelwise import command
from pixelwise.params import Params
class Rate(Params):
    rate: float
def run(params: Rate) -> None:
    if edit := os.environ.get("EDIT"):
        file, old, new = edit.split(",")
        Path(file).write_text(Path(file).read_text().replace(old, new))
    Path("out.txt").write_text(str(params.rate))
command.main(run, "toy")
"""


@pytest.fixture
def repository(tmp_path):
    """A repository with one stage, whose step is `step.py`; its digest lists `net.py`."""
    folder = make_repository(tmp_path / "repository")
    (folder / "dvc.yaml").write_text(DAG.format(python=sys.executable))
    (folder / "step.py").write_text(STEP)
    (folder / "net.py").write_text("width = 8\n")
    digest = folder / "digests/toy/work.json"
    digest.parent.mkdir(parents=True)
    digest.write_text(json.dumps({"files": {str(folder / "net.py"): hash_code(folder / "net.py")}, "versions": {}}))
    return folder


def run_stage(repository, edit=""):
    """Run the stage with `edit` made while it runs; return its status, its errors and its entry of dvc.lock."""
    command = [sys.executable, "-m", "dvc", "repro", "work"]
    variables = os.environ | {"EDIT": edit, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=repository, env=variables, capture_output=True, text=True, check=False)
    lock = repository / "dvc.lock"
    return done.returncode, done.stderr, yaml.safe_load(lock.read_text())["stages"] if lock.exists() else {}


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        ("params.yaml,0.1,0.2", "toy.rate was changed from 0.1 to 0.2"),
        ("net.py,8,16", "net.py was changed"),
        ("data.txt,data,more data", "data.txt was changed"),
    ],
)
def test_a_stage_whose_input_is_edited_while_it_runs_is_not_recorded(repository, edit, named):
    status, errors, recorded = run_stage(repository, edit)
    assert status != 0
    assert recorded == {}
    (line,) = (line for line in errors.splitlines() if line.startswith("error: "))
    assert line.startswith("error: work@toy: ")
    assert named in line


@pytest.mark.parametrize("edit", ["", "net.py,width,# A comment.\nwidth", "params.yaml,names: [x],names: [y]"])
def test_what_the_stage_does_not_depend_on_may_be_edited(repository, edit):
    status, _, recorded = run_stage(repository, edit)
    assert status == 0
    assert recorded["work@toy"]["params"]["params.yaml"] == {"toy.rate": 0.1}


def test_code_that_was_edited_after_dvc_read_it_does_not_run(repository):
    replace(repository / "net.py", "8", "16")
    status, errors, recorded = run_stage(repository)
    assert (status != 0, recorded) == (True, {})
    assert "net.py was changed after the stage `code` ran" in errors
    assert not (repository / "out.txt").exists()


def test_stages_are_resolved_as_dvc_resolves_them(monkeypatch):
    monkeypatch.chdir(PROJECT)
    with Repo(str(PROJECT)) as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages if stage.cmd}
    for name, stage in stages.items():
        resolved = resolve_stage(name)
        files = [dependency.def_path for dependency in stage.deps if dependency.def_path != "params.yaml"]
        assert sorted(resolved.get("deps", [])) == sorted(files)
        assert resolved.get("params", []) == [key for part in stage.params for key in part.params]
    assert len(stages) > 15


def test_without_dvc_nothing_is_compared(repository):
    done = subprocess.run(
        [sys.executable, "step.py"],
        cwd=repository,
        env=os.environ | {"EDIT": "params.yaml,0.1,0.2", "PYTHONPATH": str(PROJECT)},
        check=False,
    )
    assert done.returncode == 0
    assert Path(repository / "out.txt").read_text() == "0.1"
