import pytest
from ruamel.yaml import YAML

from flows import dependencies
from flows.dependencies import is_code, main, step_closure, updated
from pixelwise import identity

FILES = {
    "components/__init__.py": "",
    "components/train.py": "from pixelwise.families import find\n",
    "components/ingest.py": "from pixelwise import files\n",
    "pixelwise/__init__.py": "",
    "pixelwise/files.py": "",
    "pixelwise/families/__init__.py": "",
    "pixelwise/families/fcn/family.py": "from pixelwise import files\n",
    "pixelwise/families/clock/family.py": "",
}
DVC = """\
# The DAG.
stages:
  ingest:
    cmd: pixelwise ingest --out data/prepared
    params: [ingest]
    deps:
      - ${ingest.root}  # the data
      - requirements.lock
      - components/gone.py
    outs:
      - data/prepared

  train-fcn:
    cmd: >-
      pixelwise train --family fcn --data data/prepared --out models/fcn
    meta: {alone: true}
    deps:
      - data/prepared
    outs:
      - models/fcn
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A small project of its own."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(identity, "PROJECT", tmp_path)
    return tmp_path


def test_a_stages_code_is_what_its_step_imports():
    assert step_closure("ingest", "pixelwise ingest --out x") == [
        "components/__init__.py", "components/ingest.py", "pixelwise/__init__.py", "pixelwise/files.py",
    ]  # fmt: skip


def test_a_stage_that_loads_a_family_depends_on_its_own_and_no_other():
    found = step_closure("train-fcn", "pixelwise train --family fcn")
    assert "pixelwise/families/fcn/family.py" in found
    assert "pixelwise/files.py" in found
    assert "pixelwise/families/clock/family.py" not in found


def test_a_command_that_is_no_step_is_named():
    with pytest.raises(ValueError, match=r"dvc.yaml: odd: command 'python x.py', expected pixelwise VERB"):
        step_closure("odd", "python x.py")


def test_code_is_python_of_ours():
    found = map(is_code, ["components/a.py", "flows/b.py", "data/a.py", "components/a.txt", "data/prepared"])
    assert list(found) == [True, True, False, False, False]


def test_new_code_comes_old_code_goes_and_the_rest_stays_in_its_place():
    stages = YAML().load(updated(DVC))["stages"]
    code = ["components/__init__.py", "components/ingest.py", "pixelwise/__init__.py", "pixelwise/files.py"]
    assert stages["ingest"]["deps"] == ["${ingest.root}", "requirements.lock", *code]
    assert stages["train-fcn"]["deps"][0] == "data/prepared"
    before = YAML().load(DVC)["stages"]
    for name, stage in before.items():
        assert {key: value for key, value in stages[name].items() if key != "deps"} == {
            key: value for key, value in stage.items() if key != "deps"
        }


def test_only_lines_of_code_change():
    code = [line for line in updated(DVC).splitlines() if not is_code(line.strip(" -"))]
    assert code == [line for line in DVC.splitlines() if not is_code(line.strip(" -"))]


def test_a_second_time_changes_nothing():
    once = updated(DVC)
    assert updated(once) == once


def test_the_command_writes_the_file(project, monkeypatch):
    file = project / "dvc.yaml"
    file.write_text(DVC)
    monkeypatch.setattr(dependencies, "DVC_FILE", file)
    main()
    assert file.read_text() == updated(DVC)
