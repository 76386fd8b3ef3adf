import hashlib

import pytest

from pixelwise import identity
from pixelwise.identity import code_closure, code_hash, fingerprint, sha256_file, sha256_json

FILES = {
    "components/__init__.py": "",
    "components/step.py": "import os\nimport numpy\n",
    "components/train.py": "from components import step\nfrom components.nets import fcn as net, missing\n",
    "components/nets/__init__.py": "",
    "components/nets/fcn.py": "def build():\n    import components.nets.deep.conv\n",
    "components/nets/deep/__init__.py": "from components import extras\n",
    "components/nets/deep/conv.py": "from components.train import run\n",
    "components/extras.py": "",
    "components/other.py": "import components.step\n",
}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A small project of its own."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(identity, "PROJECT", tmp_path)
    return tmp_path


def closure(*modules):
    return [path.as_posix() for path in code_closure(modules)]


def test_the_closure_has_lazy_imports_packages_and_circles_and_nothing_else():
    assert closure("components.train") == sorted(set(FILES) - {"components/other.py"})


def test_the_closure_of_a_leaf_is_itself_and_its_package():
    assert closure("components.step") == ["components/__init__.py", "components/step.py"]


def test_the_closure_of_several_modules_is_the_union():
    assert closure("components.step", "components.extras") == [
        "components/__init__.py", "components/extras.py", "components/step.py",
    ]  # fmt: skip


def test_a_name_that_is_no_module_of_ours_has_no_closure():
    assert closure("numpy", "components_of_others", "") == []


def test_what_only_others_import_changes_nothing(project):
    before = code_hash(["components.train"])
    (project / "components/other.py").write_text("changed = 1\n")
    assert code_hash(["components.train"]) == before


@pytest.mark.parametrize("name", sorted(set(FILES) - {"components/other.py"}))
def test_a_change_in_any_file_of_the_closure_changes_the_hash(project, name):
    before = code_hash(["components.train"])
    with (project / name).open("a") as file:
        file.write("changed = 1\n")
    assert code_hash(["components.train"]) != before


def test_a_file_that_moves_changes_the_hash(project):
    before = code_hash(["components.other"])
    (project / "components/step").mkdir()
    (project / "components/step.py").rename(project / "components/step/__init__.py")
    assert code_hash(["components.other"]) != before


def test_the_project_may_lie_anywhere(project, tmp_path_factory, monkeypatch):
    before = code_hash(["components.train"])
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "project"
    project.rename(elsewhere)
    monkeypatch.setattr(identity, "PROJECT", elsewhere)
    assert code_hash(["components.train"]) == before


def test_the_fingerprint_changes_with_each_part_and_not_with_their_order():
    parts = {"parameters": {"rate": 0.1, "sizes": [1, 2]}, "data": "a", "code": "b", "environment": "c"}
    mark = fingerprint(parts)
    assert len(mark) == 64
    assert fingerprint(dict(reversed(parts.items()))) == mark
    changed = [parts | {name: "other"} for name in parts]
    changed += [parts | {"upstream": "d"}, parts | {"parameters": {"rate": 0.1, "sizes": [2, 1]}}, {"data": "a"}]
    marks = {fingerprint(each) for each in changed}
    assert len(marks) == len(changed)
    assert mark not in marks


def test_a_files_digest_is_that_of_its_bytes(project):
    content = bytes(range(256)) * 1000
    (project / "file").write_bytes(content)
    assert sha256_file(project / "file") == hashlib.sha256(content).hexdigest()


def test_equal_values_have_equal_digests():
    assert sha256_json({"b": 1, "a": (1, 2)}) == sha256_json({"a": [1, 2], "b": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": "1"})
