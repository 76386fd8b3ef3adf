"""The studies that ship hold together, and their parameters are those of the families."""

import pytest
import yaml

from pixelwise.errors import ParamsError
from pixelwise.families import find
from pixelwise.families.clockwork.studies.schedule import ScheduleParams
from pixelwise.families.clockwork.studies.velocity import VelocityParams
from pixelwise.families.composition.studies.recovery import RecoveryParams
from pixelwise.families.fcn.studies.dense import DenseParams
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.families.guided.studies import guides
from pixelwise.identity import PROJECT
from pixelwise.params import PARAMS_FILE, merge, parse
from pixelwise.studies import study as study_file
from pixelwise.studies.oracle import OracleParams
from pixelwise.studies.study import (
    NET,
    Study,
    list_studies,
    load_study,
    parse_overrides,
    parse_scoring,
    parse_training,
)

# What a variant that trains nothing may override, by the kind of its study.
OVERRIDES = {
    "oracle": OracleParams,
    "schedule": ScheduleParams,
    "velocity": VelocityParams,
    "guide": EvaluateParams,
    "recovery": RecoveryParams,
    "dense": DenseParams,
}
PARAMS = PROJECT / PARAMS_FILE
SMALL = {
    "name": "small",
    "title": "Small",
    "thesis": "nowhere",
    "claim": "a beats b",
    "data": "any",
    "columns": ["mean_iu"],
    "variants": [{"name": "a"}, {"name": "b"}],
}


def small(**changes):
    return parse(Study, {**SMALL, **changes}, "study small")


@pytest.mark.parametrize("is_quick", [False, True])
@pytest.mark.parametrize("name", list_studies())
def test_every_variant_of_every_study_has_parameters_of_its_family(name, is_quick):
    study = load_study(name)
    for variant in study.variants if study.is_trained else ():
        params = parse_training(study, variant, 3, find(study.family).TrainParams, PARAMS, is_quick)
        assert params.seed == 3
        if study.kind == "guides":
            parse_overrides(study, guides.select_task(variant), EvaluateParams)
        else:
            assert parse_scoring(study, variant, params).seed == 3


def test_a_study_that_trains_no_variant_says_what_each_of_them_is():
    for study in (load_study(name) for name in list_studies() if not load_study(name).is_trained):
        for variant in study.variants:
            parse_overrides(study, variant, OVERRIDES[study.kind])
        if not study.is_computed:
            assert parse_training(study, NET, 3, find(study.family).TrainParams, PARAMS, False).seed == 3


def test_the_thesis_figures_are_as_printed():
    printed = {
        ("table-2.2", "FCN-heavy", "mean_iu"): 63.6,
        ("table-2.3", "FCN-8s staged", "mean_iu"): 65.5,
        ("table-2.5", "FCN-32s RGB-HHA", "mean_iu"): 33.3,
        ("table-2.6", "FCN-8s, both heads", "geometry_accuracy"): 94.6,
        ("table-2.7", "FCN-8s", "mean_iu"): 39.1,
        ("table-2.8", "Reference-BG", "foreground_mean_iu"): 19.8,
        ("table-3.1", "deep", "temporal_difference"): 2,
        ("table-3.3", "32 px, 2-stage pipeline", "mean_iu"): 57.8,
        ("table-3.5", "16 px, alternating", "boundary_mean_iu"): 54.8,
        ("oracle", "factor 128", "mean_iu"): 50.9,
    }
    for (study, name, column), value in printed.items():
        (variant,) = (variant for variant in load_study(study).variants if variant.name == name)
        assert variant.thesis[column] == value


def test_where_the_thesis_misprints_the_corrected_figure_stands():
    corrected = {
        ("table-3.3", "16 px, 3-stage baseline", "frequency_weighted_iu"): 54.8,
        ("table-3.4", "2-stage baseline", "frequency_weighted_iu"): 78,
        ("table-3.6", "oracle", "mean_iu"): 66.4,
        ("figure-3.6", "adaptive 0.35", "full_frames"): 21.9,
    }
    for (study, name, column), value in corrected.items():
        (variant,) = (variant for variant in load_study(study).variants if variant.name == name)
        assert variant.thesis[column] == value
        assert variant.note


def test_variants_differ_from_each_other_unless_the_study_says_that_they_are_one():
    for name in list_studies():
        variants = load_study(name).variants
        told = [(str(variant.overrides), str(variant.evaluate)) for variant in variants]
        twins = [variant.name for place, variant in enumerate(variants) if told[place] in told[:place]]
        assert twins == (["FCN-pool5"] if name == "table-2.3" else [])


A_BEATS_B = {"better": "a", "worse": "b"}
SEVERAL = "a and b: found several of by, within and at_most, expected one"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trend": [{**A_BEATS_B, "worse": "c"}]}, ": c: found no other variant"),
        ({"trend": [{**A_BEATS_B, "worse": "a"}]}, ": a: found no other variant"),
        ({"trend": [{**A_BEATS_B, "better": "c"}]}, ": c: found no variant"),
        ({"trend": [{**A_BEATS_B, "column": "loss"}]}, ": loss: found no column of a"),
        (
            {
                "columns": ["mean_iu", "loss"],
                "variants": [{"name": "a"}, {"name": "b", "columns": ["loss"]}],
                "trend": [A_BEATS_B],
            },
            ": mean_iu: found no column of b",
        ),
        ({"trend": [{"better": "a", "worse": "a", "worse_column": "loss"}]}, ": loss: found no column of a"),
        ({"trend": [{"better": "a", "worse": "a", "worse_column": "mean_iu"}]}, ": a: found no other variant"),
        ({"trend": [{**A_BEATS_B, "by": 1, "within": 2}]}, f": {SEVERAL}"),
        ({"trend": [{**A_BEATS_B, "by": 1, "at_most": 2}]}, f": {SEVERAL}"),
        ({"trend": [{**A_BEATS_B, "within": 1, "at_most": 2}]}, f": {SEVERAL}"),
        ({"columns": ["mean_iu", "beauty"]}, ": beauty: found no column"),
        ({"chart": "loss"}, ": loss: found no column of the study"),
        ({"variants": [{"name": "a"}, {"name": "a"}]}, ": a: found no variant named once"),
        ({"variants": [{"name": "a", "thesis": {"loss": 1}}]}, ": loss: found no column of the study"),
        ({"varants": []}, ".varants: unknown key"),
        ({"kind": "wonder"}, ": wonder: found no kind of study"),
        ({"over_time": True}, ": found along or over_time, which kind train does not draw"),
    ],
)
def test_a_study_that_speaks_of_what_is_not_there_is_an_error_of_one_line(changes, said):
    with pytest.raises(ParamsError) as raised:
        small(**changes)
    assert str(raised.value) == f"study small{said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "found None, expected a study"),
        ("- a", "found ['a'], expected a study"),
        ("a: [", "not YAML: while parsing a flow node"),
    ],
)
def test_a_study_whose_file_is_no_study_is_an_error_that_names_it(text, said, tmp_path, monkeypatch):
    monkeypatch.setattr(study_file, "FOLDER", tmp_path)
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ParamsError) as raised:
        load_study("mine")
    assert str(raised.value).startswith(f"{tmp_path / 'mine.yaml'}: {said}")
    assert "\n" not in str(raised.value)


def test_a_study_lies_over_its_recipe_and_an_unknown_one_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(study_file, "FOLDER", tmp_path)
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**SMALL, "recipe": "sgd", "base": {"epochs": 3}}))
    found = load_study("mine")
    assert (found.base["epochs"], found.base["optimiser"], found.quick) == (3, "sgd", {"epochs": 1})
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**SMALL, "recipe": "sdg"}))
    with pytest.raises(ParamsError, match=r"sdg\.yaml: no such file"):
        load_study("mine")


def test_what_another_data_sets_recipe_changes_of_params_yaml_changes_no_study(tmp_path):
    changed = merge(
        yaml.safe_load(PARAMS.read_text()),
        {
            "fcn": {
                "train": {
                    "staged": True,
                    "momentum": 0.99,
                    "network": {"backbone": "vgg16", "weights": "none", "dropout": 0.5, "fusion": "max"},
                    "objective": {"balance": 1.0},
                    "augment": {"masking": "shape", "jitter": 5},
                }
            }
        },
    )
    changed["fcn"]["train"]["network"]["stream_scales"] = [1.0, 0.1, 0.01]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed))
    for study in (load_study(name) for name in list_studies() if not load_study(name).is_computed):
        kind = find(study.family).TrainParams
        for variant in study.variants if study.is_trained else (NET,):
            there = parse_training(study, variant, 0, kind, tmp_path / "params.yaml", False)
            assert there == parse_training(study, variant, 0, kind, PARAMS, False), f"{study.name}: {variant.name}"


def test_a_bad_override_is_named_with_its_study_and_variant():
    study = small(variants=[{"name": "a", "overrides": {"network": {"stride": [32]}}}])
    with pytest.raises(ParamsError, match=r"study small: a\.network\.stride: unknown key"):
        parse_training(study, study.variants[0], 0, find("fcn").TrainParams, PARAMS, False)
