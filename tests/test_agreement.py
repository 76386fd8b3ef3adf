"""params.yaml, dvc.yaml, the recipes and the steps' own parameters say the same."""

import importlib
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from flows.dependencies import DVC_FILE, is_code, updated
from pixelwise import command
from pixelwise.identity import PROJECT
from pixelwise.params import PARAMS_FILE, Params, parse, read_section
from pixelwise.registry.release_gate import ReleaseParams
from pixelwise.tools import use

STAGES: dict[str, dict[str, Any]] = yaml.safe_load(DVC_FILE.read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((PROJECT / PARAMS_FILE).read_text())
# The gate's limits are read by an action, promote, which is no stage.
RELEASES = [f"{family}.release" for family, parts in PARAMS.items() if "release" in parts]
RECIPES = sorted(path.name for path in (PROJECT / "recipes").glob("*.yaml"))


@pytest.fixture(autouse=True)
def checkout(monkeypatch):
    """Commands run in the root of the checkout."""
    monkeypatch.chdir(PROJECT)


def call_of(stage: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments with which the command of `stage` would call its step, its section as `section`."""
    calls = []

    def keep(run, section=None, argv=None, params=None):
        values = vars(command.parser(run, section, params).parse_args(argv))
        calls.append(command.call_arguments(run, values, params) | {"section": command.section_of(values)})

    monkeypatch.setattr(command, "main", keep)
    name, verb, *argv = shlex.split(STAGES[stage]["cmd"])
    assert name == "pixelwise"
    importlib.import_module(f"components.{verb}").main(argv)
    (call,) = calls
    return call


def require_same_keys(model: type[Params], values: Mapping[str, Any], at: str) -> None:
    """Fail unless the keys of `values` are the fields of `model`, and so on in every part."""
    assert set(values) == set(model.model_fields), f"params.yaml: {at} and {model.__name__} differ"
    for name, field in model.model_fields.items():
        kind = command.without_none(field.annotation)
        if isinstance(kind, type) and issubclass(kind, Params):
            require_same_keys(kind, values[name], f"{at}.{name}")


def paths_of(entries: list[Any]) -> list[str]:
    """The paths in a list of dvc.yaml, whose entries may have settings."""
    return [next(iter(entry)) if isinstance(entry, Mapping) else entry for entry in entries]


def results_of(stage: str) -> list[str]:
    """Every path that a stage makes."""
    return [path for kind in ("outs", "metrics", "plots") for path in paths_of(STAGES[stage].get(kind, []))]


def is_within(path: str | Path, folder: str | Path) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return Path(path).is_relative_to(folder)


def test_the_code_dependencies_of_every_stage_are_what_its_step_imports():
    text = DVC_FILE.read_text()
    assert updated(text) == text, "dvc.yaml: code dependencies are not what the steps import: run `make deps`"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_the_section_that_its_command_reads(stage, monkeypatch):
    section = call_of(stage, monkeypatch)["section"]
    assert STAGES[stage]["params"] == [section]
    # A family's stage reads that family's section.
    assert section.partition(".")[0] == stage.partition("-")[2] or section == stage


@pytest.mark.parametrize("stage", STAGES)
def test_a_section_has_the_keys_of_its_steps_parameters_and_no_others(stage, monkeypatch):
    call = call_of(stage, monkeypatch)
    require_same_keys(type(call["params"]), read_section(PARAMS_FILE, call["section"]), call["section"])


@pytest.mark.parametrize("section", RELEASES)
def test_a_release_has_the_keys_of_the_gates_parameters_and_no_others(section):
    found = read_section(PARAMS_FILE, section)
    require_same_keys(ReleaseParams, found, section)
    parse(ReleaseParams, found, section)


def test_every_section_is_read_by_a_stage_or_by_the_gate():
    read = {section for stage in STAGES.values() for section in stage["params"]} | set(RELEASES)
    there = set()
    for name, parts in PARAMS.items():
        there |= {name} if name in read else {f"{name}.{part}" for part in parts}
    assert there == read


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_command_reads_and_writes_stands_in_its_stage(stage, monkeypatch):
    call = call_of(stage, monkeypatch)
    dependencies, results = paths_of(STAGES[stage]["deps"]), results_of(stage)
    assert all(is_within(path, call["out"]) for path in results)
    for name in {"data", "model", "accepted"} & set(call):
        assert any(is_within(path, call[name]) for path in dependencies), f"{stage}: --{name} {call[name]} is no dep"


def test_every_dependency_is_a_result_or_a_file_of_the_project():
    results = {path for stage in STAGES for path in results_of(stage)}
    for name, stage in STAGES.items():
        for path in paths_of(stage["deps"]):
            is_made = any(is_within(path, result) or is_within(result, path) for result in results)
            assert is_made or path.startswith("${") or (PROJECT / path).is_file(), f"{name}: nothing makes {path}"


def test_the_environment_is_a_dependency_of_every_stage():
    assert [name for name, stage in STAGES.items() if "requirements.lock" not in stage["deps"]] == []


def test_no_stage_depends_on_code_of_the_flows():
    paths = [path for stage in STAGES.values() for path in stage["deps"] if is_code(path)]
    assert [path for path in paths if path.startswith("flows/")] == []


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_keys_of_params_yaml_and_values_that_its_steps_take(name, tmp_path, monkeypatch):
    merged = tmp_path / "params.yaml"
    shutil.copy(PARAMS_FILE, merged)
    use.run([PROJECT / "recipes" / name], tmp_path, merged)
    for stage in STAGES:
        call = call_of(stage, monkeypatch)
        parse(type(call["params"]), read_section(merged, call["section"]), f"{name}: {call['section']}")
    for section in RELEASES:
        parse(ReleaseParams, read_section(merged, section), f"{name}: {section}")


def keys_of(values: Mapping[str, Any]) -> set[str]:
    """Every key of nested parameters."""
    return set(values).union(*(keys_of(value) for value in values.values() if isinstance(value, Mapping)))


def test_no_parameter_has_a_name_that_dvcs_run_cache_leaves_out():
    # A change of such a parameter would bring back the result of another value.
    assert not keys_of(PARAMS) & {"size", "nfiles"}
