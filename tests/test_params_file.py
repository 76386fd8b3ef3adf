"""params.yaml and the recipes hold what differs from the defaults, and the defaults are what the pipeline runs with."""

import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.hydra import apply_overrides

from pixelwise.families import find_params, names
from pixelwise.families.origin import origin
from pixelwise.identity import PROJECT
from pixelwise.params import PARAMS_FILE, Params, flatten, make_defaults, merge, parse
from pixelwise.tools import use
from pixelwise.tools.params import describe_keys, find_value, format_value
from pixelwise.tools.sections import find_params_class, split_sections

SECTIONS = split_sections(yaml.safe_load((PROJECT / PARAMS_FILE).read_text()), str(PARAMS_FILE))
MODELS: dict[str, type[Params]] = {section: find_params_class(section, "params.yaml") for section in SECTIONS}
RECIPES = sorted((PROJECT / "recipes").glob("*.yaml"))
SHOWN = [f"{section}.{key}" for section, values in SECTIONS.items() for key in flatten(values)]
HIDDEN = [
    f"{section}.{key}"
    for section, model in MODELS.items()
    for key, _ in describe_keys(model)
    if f"{section}.{key}" not in SHOWN and not isinstance(find_value(make_defaults(model), key), dict)
]


@pytest.fixture
def params_file(tmp_path, monkeypatch):
    """A copy of params.yaml, beside the data that the recipes ask for."""
    monkeypatch.chdir(PROJECT)
    return Path(shutil.copy(PARAMS_FILE, tmp_path))


def test_params_yaml_can_be_read_in_one_go():
    assert len((PROJECT / PARAMS_FILE).read_text().splitlines()) <= 120


@pytest.mark.parametrize("section", SECTIONS)
def test_a_verb_without_a_section_computes_what_the_pipeline_does(section):
    assert parse(MODELS[section], SECTIONS[section], section) == MODELS[section]()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_parameter_says_what_it_means(section):
    assert [key for key, meaning in describe_keys(MODELS[section]) if not meaning] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_no_parameter_has_a_name_that_dvcs_run_cache_leaves_out(section):
    # A change of such a parameter would bring back the result of another value.
    assert [key for key, _ in describe_keys(MODELS[section]) if {"size", "nfiles"} & set(key.split("."))] == []


@pytest.mark.parametrize("family", names())
def test_a_training_has_one_fingerprint_whether_its_defaults_stand_in_the_file_or_not(family, tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    model = find_params(family).TrainParams
    bare, full = model(), parse(model, make_defaults(model), "all")
    fingerprints = [origin(params, family, tmp_path)["fingerprint"] for params in (bare, full)]
    assert fingerprints[0] == fingerprints[1]
    assert origin(bare.model_copy(update={"seed": 1}), family, tmp_path)["fingerprint"] != fingerprints[0]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_holds_what_differs_from_the_defaults_alone(recipe):
    for section, values in split_sections(yaml.safe_load(recipe.read_text()), recipe.name).items():
        usual = flatten(make_defaults(MODELS[section]))
        # A number of epochs is what a recipe is first asked for.
        same = {key for key, value in flatten(values).items() if usual[key] == value} - {"dataset", "epochs"}
        kept = {"network.weights", "network.learned_upsampling"} if recipe.stem == "voc-thesis" else set()
        assert same <= kept, f"{recipe.name}: {section}"


def test_any_recipe_may_follow_any_other_and_the_towns_brings_every_byte_back(params_file):
    before = params_file.read_text()
    for recipe in RECIPES:
        root = None if recipe.stem == "town-cpu" else params_file.parent
        use.run([recipe.relative_to(PROJECT)], root, params_file)
        found = split_sections(yaml.safe_load(params_file.read_text()), "params.yaml")
        wanted = split_sections(yaml.safe_load(recipe.read_text()), recipe.name)
        for section, model in MODELS.items():
            expected = merge(make_defaults(model), wanted.get(section, {}))
            expected |= {"root": str(params_file.parent)} if section == "ingest" and root else {}
            assert parse(model, found[section], section) == parse(model, expected, section), f"{recipe.name}: {section}"
    use.run([Path("recipes/town-cpu.yaml")], None, params_file)
    assert params_file.read_text() == before


@pytest.mark.parametrize(("keys", "sign"), [(SHOWN, ""), (HIDDEN, "+")], ids=["shown", "not shown"])
def test_dvc_exp_run_sets_every_key(keys, sign, params_file):
    values = {section: merge(make_defaults(model), SECTIONS[section]) for section, model in MODELS.items()}
    flat = flatten(values)
    apply_overrides(params_file, [f"{sign}{key}={format_value(flat[key])}" for key in keys])
    for section, found in split_sections(yaml.safe_load(params_file.read_text()), "params.yaml").items():
        assert parse(MODELS[section], found, section) == parse(MODELS[section], SECTIONS[section], section)


def test_dvc_exp_run_sets_another_value(params_file):
    apply_overrides(params_file, ["fcn.train.epochs=3", "+fcn.train.momentum=0.8", "+clockwork.evaluate.batch_size=2"])
    found = yaml.safe_load(params_file.read_text())
    params = parse(MODELS["fcn.train"], found["fcn"]["train"], "fcn.train")
    assert (params.epochs, params.momentum, found["clockwork"]["evaluate"]) == (3, 0.8, {"batch_size": 2})
