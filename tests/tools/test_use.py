from pathlib import Path

import pytest
import yaml

from pixelwise.errors import DataError, ParamsError
from pixelwise.tools.use import run

PROJECT = Path(__file__).resolve().parents[2]
PARAMS = """\
# What every run depends on.
ingest:
  dataset: town  # or camvid, voc, folder
  root: null
  town: {frames: 12}

fcn:
  train:
    rate: 1.5e-3  # of AdamW
    epochs: 8
    crop: [320, 416]
    resume: true
"""
RECIPE = """\
ingest: {dataset: camvid, root: null}
fcn:
  train: {epochs: 30, rate: 3.0e-4, crop: [360, 480]}
"""


@pytest.fixture
def files(tmp_path):
    """params.yaml, a recipe and a folder of data."""
    params, recipe, data = tmp_path / "params.yaml", tmp_path / "camvid-cpu.yaml", tmp_path / "camvid"
    params.write_text(PARAMS)
    recipe.write_text(RECIPE)
    data.mkdir()
    return params, recipe, data


def test_a_recipe_changes_its_values_and_leaves_comments_and_the_rest(files):
    params, recipe, data = files
    run([recipe], data, params)
    expected = (
        PARAMS.replace("dataset: town", "dataset: camvid")
        .replace("root: null", f"root: {data}")
        .replace("rate: 1.5e-3", "rate: 3.0e-4")
        .replace("epochs: 8", "epochs: 30")
        .replace("[320, 416]", "[360, 480]")
    )
    assert params.read_text().replace("  #", " #") == expected.replace("  #", " #")


def test_the_report_names_each_change_and_the_next_command(files):
    params, recipe, data = files
    text = str(run([recipe], data, params))
    assert "  fcn.train.epochs: 8 → 30\n" in text
    assert text.endswith("next: make pipeline, or dvc repro")


def test_another_recipe_brings_the_defaults_back(files):
    params, recipe, data = files
    town = recipe.with_name("town-cpu.yaml")
    town.write_text(PARAMS)
    run([recipe], data, params)
    run([town], None, params)
    assert yaml.safe_load(params.read_text()) == yaml.safe_load(PARAMS)


def test_the_same_recipe_twice_changes_nothing(files):
    params, recipe, data = files
    run([recipe], data, params)
    before = params.stat().st_mtime_ns
    assert run([recipe], data, params).changes == ()
    assert params.stat().st_mtime_ns == before


def test_a_relative_root_stays_relative(files, monkeypatch):
    params, recipe, data = files
    monkeypatch.chdir(data.parent)
    run([recipe], data.relative_to(data.parent), params)
    assert yaml.safe_load(params.read_text())["ingest"]["root"] == "camvid"


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("fcn: {train: {epoch: 3}}", r"fcn\.train\.epoch: unknown key, expected one of: rate epochs crop resume"),
        ("clock: {}", r"clock: unknown key, expected one of: ingest fcn"),
        ("fcn: {train: 3}", r"fcn\.train: found 3, expected a mapping"),
        ("fcn: {train: {epochs: {a: 1}}}", r"fcn\.train\.epochs: found .*, expected a value"),
        ("- a", r"expected a mapping of sections"),
        ("a: [", r"not YAML"),
    ],
)
def test_a_wrong_recipe_is_named_and_changes_nothing(files, recipe, message):
    params, file, data = files
    file.write_text(recipe)
    with pytest.raises(ParamsError, match=rf"^[^\n]*camvid-cpu.yaml: [^\n]*{message}[^\n]*$"):
        run([file], data, params)
    assert params.read_text() == PARAMS


def test_missing_files_are_named(files):
    params, recipe, data = files
    with pytest.raises(ParamsError, match=r"none.yaml: no such file or directory, expected a recipe"):
        run([recipe.with_name("none.yaml")], data, params)
    with pytest.raises(ParamsError, match=r"none.yaml: no such file or directory, expected the pipeline's parameters"):
        run([recipe], data, params.with_name("none.yaml"))


def test_data_that_is_not_there_is_named_and_changes_nothing(files):
    params, recipe, data = files
    with pytest.raises(DataError, match=r"ingest.root .*elsewhere: no such folder"):
        run([recipe], data / "elsewhere", params)
    with pytest.raises(DataError, match=r"ingest.root: not set, expected the folder of camvid: give --root PATH"):
        run([recipe], None, params)
    recipe.write_text("ingest: {dataset: camvid, root: 5}")
    with pytest.raises(ParamsError, match=r"camvid-cpu.yaml: ingest.root: found 5, expected a path"):
        run([recipe], None, params)
    assert params.read_text() == PARAMS


@pytest.mark.parametrize("name", ["camvid-cpu", "voc-cpu"])
def test_the_towns_recipe_brings_back_what_another_set(name, tmp_path, monkeypatch):
    monkeypatch.chdir(PROJECT)
    params = tmp_path / "params.yaml"
    params.write_text(Path("params.yaml").read_text())
    run([Path("recipes/town-cpu.yaml")], None, params)
    before = params.read_text()
    assert run([Path(f"recipes/{name}.yaml")], tmp_path, params).changes
    run([Path("recipes/town-cpu.yaml")], None, params)
    assert yaml.safe_load(params.read_text()) == yaml.safe_load(before)
