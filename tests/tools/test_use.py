from pathlib import Path
from textwrap import indent

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from pixelwise.documents import read_yaml
from pixelwise.errors import DataError, ParamsError
from pixelwise.tools.use import join_lists, run

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.yaml"))
PARAMS = """\
# What every run depends on.
recipes: []

ingest:
  dataset: town  # or camvid, voc, folder
  root: null

fcn:
  train:
    learning_rate: 0.0015  # of AdamW
    epochs: 12
    network:
      strides: [32, 16, 8]  # coarse to fine
  export: {}

# The end.
guided:
  train: {}
"""
RECIPE = """\
ingest: {dataset: camvid}
fcn:
  train:
    epochs: 30
    learning_rate: 3.0e-4
    momentum: 0.8
    network: {strides: [32], width: 64}
    objective: {balance: 0.1}
  export: {opset: 18}
guided:
  train:
    held_out:
      - cat
      - dog
"""


@pytest.fixture
def files(tmp_path):
    """params.yaml, a recipe and a folder of data."""
    params, recipe, data = tmp_path / "params.yaml", tmp_path / "camvid-cpu.yaml", tmp_path / "camvid"
    params.write_text(PARAMS)
    recipe.write_text(RECIPE)
    data.mkdir()
    return params, recipe, data


@pytest.fixture
def town(files):
    """A recipe of the defaults."""
    file = files[1].with_name("town.yaml")
    file.write_text("ingest: {dataset: town}\n")
    return file


def test_a_recipe_changes_what_the_file_shows_and_leaves_its_comments(files):
    params, recipe, data = files
    run([recipe], data, params)
    text = params.read_text()
    for line in (
        "# What every run depends on.",
        f"recipes: [{recipe}]",
        "  dataset: camvid  # or camvid, voc, folder",
        f"  root: {data}",
        "    learning_rate: 0.0003  # of AdamW",
        "    epochs: 30",
        "      strides: [32]  # coarse to fine",
        "\n# The end.",
    ):
        assert f"{line}\n" in text


def test_a_key_that_the_file_does_not_show_is_added_with_its_meaning(files):
    params, recipe, data = files
    run([recipe], data, params)
    text = params.read_text()
    assert "    momentum: 0.8  # recipe: SGD's momentum\n" in text
    assert "    objective:  # recipe: The loss.\n      balance: 0.1  # recipe: " in text
    assert "  export:\n    opset: 18  # recipe: " in text
    assert "    held_out: [cat, dog]  # recipe: " in text


def test_another_recipe_starts_from_the_defaults_and_leaves_nothing_of_the_one_before(files, town):
    params, recipe, data = files
    run([recipe], data, params)
    run([town], None, params)
    assert params.read_text() == PARAMS.replace("recipes: []", f"recipes: [{town}]")


def test_what_a_recipe_added_is_found_after_dvc_has_written_the_file(files, town):
    params, recipe, data = files
    run([recipe], data, params)
    apply_overrides(params, ["guided.train.held_out=[cat,dog,cow]", "+fcn.train.network.stream_scales=[1.0]"])
    assert "- cow\n" in params.read_text()
    run([town], None, params)
    expected = PARAMS.replace("recipes: []", f"recipes: [{town}]")
    assert params.read_text() == expected.replace("# coarse to fine\n", "# coarse to fine\n      stream_scales: []\n")


@pytest.mark.parametrize("items", ["- a: 1\n  b: 2", "- a  # first\n- b", "- a\n- b  # last"])
def test_a_list_of_more_than_plain_values_is_left_alone(items):
    text = f"mine:\n  list:\n{indent(items, '  ')}\nnext: 1\n"
    assert join_lists(text) == text


def test_a_key_that_stands_twice_is_named(files, town):
    params = files[0]
    params.write_text(PARAMS.replace("    epochs: 12\n", "    epochs: 12\n    epochs: 13\n"))
    with pytest.raises(ParamsError, match=r"^[^\n]*params.yaml: not YAML: [^\n]*duplicate key[^\n]*$"):
        run([town], None, params)


def test_a_value_of_ones_own_goes_back_to_the_default_too(files, town):
    params = files[0]
    params.write_text(PARAMS.replace("epochs: 12", "epochs: 99"))
    assert [str(change) for change in run([town], None, params).changes] == ["fcn.train.epochs: 99 → 12"]


def test_of_several_recipes_the_later_win(files, town):
    params, recipe, data = files
    town.write_text("fcn: {train: {epochs: 7}}")
    run([recipe, town], data, params)
    train = yaml.safe_load(params.read_text())["fcn"]["train"]
    assert (train["epochs"], train["momentum"]) == (7, 0.8)


def test_the_report_names_each_change_and_the_next_command(files):
    params, recipe, data = files
    text = str(run([recipe], data, params))
    assert "  fcn.train.epochs: 12 → 30\n" in text
    assert "  fcn.train.momentum: 0.9 → 0.8\n" in text
    assert text.endswith("next: make pipeline, or dvc repro")


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
        ("fcn: {train: {epoch: 3}}", r"fcn\.train\.epoch: unknown key"),
        ("fcn: {train: {objective: {kept: 0.5}}}", r"fcn\.train\.objective\.kept: renamed to sampled_share"),
        ("fcn: {train: {epochs: many}}", r"fcn\.train\.epochs: found 'many', expected: .*integer"),
        ("fcn: {train: {epochs: {a: 1}}}", r"fcn\.train\.epochs: found .*, expected: .*integer"),
        ("fcn: {train: {network: 3}}", r"fcn\.train\.network: found 3, expected: "),
        ("fcn: {trian: {epochs: 3}}", r"fcn\.trian: unknown section"),
        ("fcn: {train: 3}", r"fcn\.train: found 3, expected a mapping"),
        ("fcn: 3", r"fcn: found 3, expected a mapping"),
        ("clock: {a: 1}", r"clock: unknown section"),
        ("ingest: {root: 5}", r"ingest\.root: found 5, expected: .*path"),
        ("- a", r"found \['a'\], expected a recipe"),
        ("a: [", r"not YAML: "),
    ],
)
def test_a_wrong_recipe_is_named_in_one_line_and_changes_nothing(files, recipe, message):
    params, file, data = files
    file.write_text(recipe)
    with pytest.raises(ParamsError, match=rf"^[^\n]*camvid-cpu.yaml: {message}[^\n]*$"):
        run([file], data, params)
    assert params.read_text() == PARAMS


def test_a_wrong_key_of_the_file_is_named(files):
    params, recipe, data = files
    params.write_text(PARAMS.replace("epochs:", "epoch:"))
    with pytest.raises(ParamsError, match=r"^[^\n]*params.yaml: fcn\.train\.epoch: unknown key$"):
        run([recipe], data, params)


def test_a_section_that_the_file_lacks_is_named(files):
    params, recipe, data = files
    recipe.write_text("composition: {train: {epochs: 3}}")
    with pytest.raises(
        ParamsError, match=r"params.yaml: section composition.train: not found, but the recipe sets it$"
    ):
        run([recipe], data, params)
    assert params.read_text() == PARAMS


def test_missing_files_are_named(files):
    params, recipe, data = files
    with pytest.raises(ParamsError, match=r"none.yaml: no such file, expected a recipe"):
        run([recipe.with_name("none.yaml")], data, params)
    with pytest.raises(ParamsError, match=r"none.yaml: no such file, expected the pipeline's parameters"):
        run([recipe], data, params.with_name("none.yaml"))


def test_data_that_is_not_there_is_named_and_changes_nothing(files):
    params, recipe, data = files
    with pytest.raises(DataError, match=r"ingest.root .*elsewhere: no such folder"):
        run([recipe], data / "elsewhere", params)
    with pytest.raises(DataError, match=r"ingest.root: not set, expected the folder of camvid: give --root PATH"):
        run([recipe], None, params)
    assert params.read_text() == PARAMS


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_composition_goes_on_with_the_pictures_from_which_its_start_learned(file):
    """With fewer pictures it forgets: on VOC it ended 4.5 points below the FCN that it started from."""
    recipe = read_yaml(file, "a recipe")
    splits = {recipe.get(family, {}).get("train", {}).get("train_split", "train") for family in ("fcn", "composition")}
    assert len(splits) == 1
