"""The public names of the library: each is there, costs nothing before it is used, and its example runs."""

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.channel_model import write_channel_data, write_channel_model

import pixelwise
from components import ingest

FILE = Path(pixelwise.__file__)
IMPORTED = "import sys; import pixelwise; print(*sorted(sys.modules))"


@pytest.fixture(scope="module")
def world(tmp_path_factory, clockwork_model, guided_folder):
    """A working folder with what the examples name."""
    folder = tmp_path_factory.mktemp("world")
    write_channel_model(folder / "models/fcn")
    (folder / "models/clockwork").symlink_to(clockwork_model)
    (folder / "models/guided").symlink_to(guided_folder)
    root = write_channel_data(folder / "mine", [(24, 32), (30, 20)])
    ingest.run(ingest.IngestParams(dataset="folder", root=root), folder / "data/prepared")
    picture = Image.fromarray(np.random.default_rng(0).integers(60, 140, (80, 120, 3), dtype=np.uint8))
    ImageDraw.Draw(picture).ellipse((20, 20, 60, 60), fill=(220, 40, 40))
    picture.save(folder / "disc.png")
    session = pixelwise.GuidedSession(pixelwise.GuidedModel(guided_folder))
    session.click(session.add_picture(np.asarray(picture)), 40, 40)
    session.save(folder / "disc.guidance")
    return folder


@pytest.mark.parametrize("name", pixelwise.__all__)
def test_the_example_of_every_public_name_runs(name, world, monkeypatch, capsys):
    monkeypatch.chdir(world)
    public = getattr(pixelwise, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(public, name, globs={})
    assert any(f"pixelwise.{name}" in step.source for step in example.examples), f"{name}: no example uses it"
    failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example)
    assert failed == 0, capsys.readouterr().out


def test_importing_the_library_imports_none_of_its_modules_and_no_package():
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=FILE.parents[1], capture_output=True, text=True, check=True
    )
    ours = {name for name in done.stdout.split() if name.partition(".")[0] in ("pixelwise", "numpy", "torch")}
    assert ours == {"pixelwise"}


def test_type_checkers_see_the_same_names_in_the_same_modules():
    (typed,) = (node for node in ast.parse(FILE.read_text()).body if isinstance(node, ast.If))
    seen = {alias.asname: node.module for node in typed.body for alias in node.names}
    assert seen == pixelwise.MODULES


def test_the_public_names_are_offered_for_completion():
    assert set(pixelwise.__all__) <= set(dir(importlib.reload(pixelwise)))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'pixelwise' has no attribute 'open_modle'"):
        pixelwise.open_modle  # noqa: B018
