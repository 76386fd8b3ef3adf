import pytest
from ruamel.yaml import YAML

from components import identity
from flows import dependencies
from flows.dependencies import is_code, main, step_closure, updated

FILES = {
    "components/__init__.py": "",
    "components/train.py": "from components.families import find\n",
    "components/plain.py": "from components import files\n",
    "components/files.py": "",
    "components/families/__init__.py": "",
    "components/families/fcn.py": "from components import files\n",
    "components/families/clock.py": "",
}
DVC = """\
# The DAG.
stages:
  plain:
    cmd: pixelwise plain --out data/prepared
    params: [plain]
    deps:
      - ${plain.root}  # the data
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
    assert step_closure("plain", "pixelwise plain --out x") == [
        "components/__init__.py", "components/files.py", "components/plain.py",
    ]  # fmt: skip


def test_a_stage_that_loads_a_family_depends_on_its_own_and_no_other():
    found = step_closure("train-fcn", "pixelwise train --family fcn")
    assert "components/families/fcn.py" in found
    assert "components/files.py" in found
    assert "components/families/clock.py" not in found


def test_a_command_that_is_no_step_is_named():
    with pytest.raises(ValueError, match=r"dvc.yaml: odd: command 'python x.py', expected pixelwise VERB"):
        step_closure("odd", "python x.py")


def test_code_is_python_of_ours():
    found = map(is_code, ["components/a.py", "flows/b.py", "data/a.py", "components/a.txt", "data/prepared"])
    assert list(found) == [True, True, False, False, False]


def test_new_code_comes_old_code_goes_and_the_rest_stays_in_its_place():
    stages = YAML().load(updated(DVC))["stages"]
    code = ["components/__init__.py", "components/files.py", "components/plain.py"]
    assert stages["plain"]["deps"] == ["${plain.root}", "requirements.lock", *code]
    assert stages["train-fcn"]["deps"][0] == "data/prepared"
    before = YAML().load(DVC)["stages"]
    for name, stage in before.items():
        assert {key: value for key, value in stages[name].items() if key != "deps"} == {
            key: value for key, value in stage.items() if key != "deps"
        }


def test_only_lines_of_code_change():
    code = [line for line in updated(DVC).splitlines() if "components/" not in line]
    assert code == [line for line in DVC.splitlines() if "components/" not in line]


def test_a_second_time_changes_nothing():
    once = updated(DVC)
    assert updated(once) == once


def test_the_command_writes_the_file(project, monkeypatch):
    file = project / "dvc.yaml"
    file.write_text(DVC)
    monkeypatch.setattr(dependencies, "DVC_FILE", file)
    main()
    assert file.read_text() == updated(DVC)
