"""`pixelwise init`: from a folder to a params.yaml that every step accepts."""

import shutil

import pytest
import yaml
from support.edged_pictures import write_shapes
from support.image_sets import noise, save

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ParamsError
from pixelwise.identity import PROJECT
from pixelwise.inspection.recipe import Facts, fit_recipe
from pixelwise.params import PARAMS_FILE, parse, read_section
from pixelwise.tools.init import find_edited, render_recipe, run
from pixelwise.tools.sections import find_params_class, split_sections

MODELS = {
    section: find_params_class(section, "params.yaml")
    for section in split_sections(yaml.safe_load((PROJECT / PARAMS_FILE).read_text()), "params.yaml")
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of 12 training and 6 validation pictures."""
    return write_shapes(tmp_path_factory.mktemp("data") / "mine")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of params.yaml and its recipes."""
    shutil.copy(PROJECT / PARAMS_FILE, tmp_path)
    shutil.copytree(PROJECT / "recipes", tmp_path / "recipes")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fit(**facts):
    """Key -> chosen value."""
    given = {"splits": {"train": 1000, "val": 100}, "classes": ("road", "sky"), "width": 640, "height": 480}
    given |= {"shortest": 480, "unseen": (), "rarest_share": 0.2, "has_gpu": False}
    return {choice.key: choice.value for choice in fit_recipe(Facts(**(given | facts)), MODELS)}


def test_a_folder_becomes_parameters_that_every_step_accepts_and_ingest_reads(shapes, project):
    said = str(run([shapes], device="cpu"))
    assert said.startswith(f"{shapes}: folder, 3 classes; train 12, val 6\nbecause of classes.yaml in")
    assert said.endswith("next: make pipeline")
    for section, model in MODELS.items():
        parse(model, read_section(PARAMS_FILE, section), section)
    found = read_section(PARAMS_FILE, "ingest")
    report = ingest.run(IngestParams(**found), project / "prepared")
    assert report.splits == {"train": 12, "val": 6}
    assert read_section(PARAMS_FILE, "validate")["min_images"] == {"train": 12, "val": 5}
    assert yaml.safe_load(PARAMS_FILE.read_text())["recipes"] == ["recipes/mine.yaml"]


def test_each_value_has_its_reason_in_the_recipe(shapes, project):
    run([shapes], device="cpu")
    text = (project / "recipes" / "mine.yaml").read_text()
    assert "  min_images: {train: 12, val: 5}  # the pictures that the data has\n" in text
    assert f"  dataset: folder  # classes.yaml in {shapes}\n" in text


def test_init_again_is_allowed_and_an_edit_is_not_lost(shapes, project):
    run([shapes], device="cpu")
    first = PARAMS_FILE.read_text()
    run([shapes], device="cpu")
    assert PARAMS_FILE.read_text() == first
    PARAMS_FILE.write_text(first.replace("mean_iu_floor: 0.3", "mean_iu_floor: 0.5"))
    assert find_edited(PARAMS_FILE) == "fcn.release.mean_iu_floor: 0.3 → 0.5"
    with pytest.raises(ParamsError, match=r"params.yaml: fcn.release.mean_iu_floor: 0.3 → 0.5 was edited, .* --force"):
        run([shapes])
    run([shapes], device="cpu", force=True)
    assert PARAMS_FILE.read_text() == first


def test_a_recipe_of_the_user_is_not_overwritten(shapes, project):
    (project / "recipes" / "mine.yaml").write_text("ingest: {dataset: folder}\n")
    with pytest.raises(ParamsError, match=r"recipes/mine.yaml: exists and was not written by init"):
        run([shapes])
    assert find_edited(PARAMS_FILE) is None


def test_pictures_without_masks_are_refused_in_one_line(project):
    save(noise(0, (64, 64)), project / "trip" / "a.jpg")
    with pytest.raises(DataError, match=r"trip: pictures: no labelled data set .*; expected a labelled data set"):
        run([project / "trip"])


def test_more_pictures_mean_fewer_epochs_and_a_gpu_more_of_all():
    few, many, gpu = fit(splits={"train": 100, "val": 20}), fit(), fit(has_gpu=True)
    for section in (name for name in MODELS if f"{name}.epochs" in few):
        assert few[f"{section}.epochs"] > many[f"{section}.epochs"] >= 2
        assert gpu[f"{section}.epochs"] > many[f"{section}.epochs"]
        assert gpu[f"{section}.augment.crop_width"] > many[f"{section}.augment.crop_width"]
    assert few["fcn.train.batch_size"] == 4
    assert "fcn.train.batch_size" not in many


def test_large_pictures_are_shrunk_and_crops_keep_their_shape():
    small, large = fit(), fit(width=4000, height=3000)
    assert "fcn.train.network.scale" not in small
    assert large["fcn.train.network.scale"] == 0.16
    for chosen in (small, large):
        assert chosen["fcn.train.augment.crop_width"] / chosen["fcn.train.augment.crop_height"] == pytest.approx(
            4 / 3, abs=0.2
        )
        assert chosen["fcn.train.augment.crop_width"] % 32 == 0


def test_classes_with_a_side_are_not_mirrored():
    assert fit(classes=("left lane", "right lane"))["fcn.train.augment.mirror"] is False
    assert "fcn.train.augment.mirror" not in fit(classes=("bright", "leftover"))


def test_splits_of_other_names_are_learned_and_scored_in_every_family():
    chosen = fit(splits={"train": 100, "train_extra": 50, "test": 30})
    assert chosen["fcn.train.train_split"] == "train+train_extra"
    assert chosen["validate.min_images"] == {"train": 20, "test": 5}
    scored = {key for key, value in chosen.items() if value == "test"}
    assert {"fcn.train.val_split", "guided.train.val_split", "composition.evaluate.split"} <= scored


def test_limits_that_the_data_cannot_meet_are_lowered_and_no_others():
    chosen = fit(unseen=("sky",), shortest=20)
    assert chosen["validate.min_class_images"] == 0
    assert chosen["validate.min_side"] == 20
    assert not any(key.startswith("validate") for key in fit())


def test_a_recipe_is_yaml_of_the_same_values():
    choices = fit_recipe(Facts({"train": 9, "val": 1}, ("a",), 64, 48, 48, (), 0.001, has_gpu=False), MODELS)
    found = yaml.safe_load(render_recipe(choices))
    for choice in choices:
        value = found
        for part in choice.key.split("."):
            value = value[part]
        assert value == choice.value


def test_classes_of_alike_names_are_merged_and_those_that_mean_unlabelled_taken_out():
    found = fit(classes=("background", "Traffic Light", "car", "traffic_light", "Unlabeled"))
    assert found["ingest.classes"] == {"Traffic Light": ["Traffic Light", "traffic_light"], "void": ["Unlabeled"]}
    assert "ingest.classes" not in fit(classes=("background", "car", "cart"))


def test_the_classes_proposed_are_those_that_ingest_gives(project):
    root = write_shapes(project / "shapes")
    (root / "classes.yaml").write_text("names: [ground, Ground, ignore]")
    assert "ground and Ground are spelled alike; ignore means unlabelled" in str(run([root], device="cpu"))
    ingest.run(IngestParams(**read_section(PARAMS_FILE, "ingest")), project / "prepared")
    assert PreparedData(project / "prepared").classes.names == ("ground",)
