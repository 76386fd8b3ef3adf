"""params.yaml, dvc.yaml and the steps say the same."""

import importlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo
from dvc.stage import PipelineStage

from pixelwise import command
from pixelwise.identity import PROJECT
from pixelwise.params import PARAMS_FILE
from pixelwise.tools import code, sections

# As DVC resolves them, but the one that is no step: it writes what the others depend on.
EVERY = [node for node in Repo(str(PROJECT)).index.stages if node.cmd]
(CODE,) = [stage for stage in EVERY if stage.always_changed]
STAGES: dict[str, PipelineStage] = {stage.name: stage for stage in EVERY if not stage.always_changed}
PARAMS: dict[str, Any] = yaml.safe_load((PROJECT / PARAMS_FILE).read_text())
# The gate's limits are read by an action, promote, which is no stage.
RELEASES = [f"{family}.release" for family, parts in PARAMS.items() if "release" in parts]


@pytest.fixture(autouse=True)
def checkout(monkeypatch):
    """Commands run in the root of the checkout."""
    monkeypatch.chdir(PROJECT)


def call_of(stage: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments with which the command of `stage` would call its step, its section as `section`."""
    calls = []

    def keep(run, section=None, argv=None, params=None):
        values = vars(command.make_parser(run, section, params).parse_args(argv))
        calls.append(command.make_arguments(run, values, params) | {"section": command.resolve_section(values)})

    monkeypatch.setattr(command, "main", keep)
    name, verb, *argv = shlex.split(STAGES[stage].cmd)
    assert name == "pixelwise"
    importlib.import_module(f"components.{verb}").main(argv)
    (call,) = calls
    return call


def dependencies_of(stage: str) -> list[str]:
    """Every path that a stage reads, but parameters."""
    return [path.def_path for path in STAGES[stage].deps if path.def_path != str(PARAMS_FILE)]


def sections_of(stage: str) -> list[str]:
    """The sections of params.yaml that a stage lists."""
    return [section for file in STAGES[stage].params for section in file.params]


def results_of(stage: str) -> list[str]:
    """Every path that a stage makes."""
    return [path.def_path for path in STAGES[stage].outs]


def is_within(path: str | Path, folder: str | Path) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return Path(path).is_relative_to(folder)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_the_section_that_its_command_reads(stage, monkeypatch):
    section = call_of(stage, monkeypatch)["section"]
    assert sections_of(stage) == [section]
    # A family's stage reads that family's section.
    step, _, family = stage.partition("@")
    assert section == (f"{family}.{step}" if family else step)


def test_every_section_is_read_by_a_stage_or_by_the_gate():
    read = {section for stage in STAGES for section in sections_of(stage)} | set(RELEASES)
    assert set(sections.split_sections(PARAMS, str(PARAMS_FILE))) == read


@pytest.mark.parametrize("stage", STAGES)
def test_a_step_takes_the_parameters_that_are_shown_for_its_section(stage, monkeypatch):
    call = call_of(stage, monkeypatch)
    assert type(call["params"]) is sections.find_params_class(call["section"], "params.yaml")


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_command_reads_and_writes_stands_in_its_stage(stage, monkeypatch):
    call = call_of(stage, monkeypatch)
    dependencies, results = dependencies_of(stage), results_of(stage)
    written = [call[name] for name in ("out", "json", "engines") if call.get(name)]
    assert all(any(is_within(path, place) for place in written) for path in results)
    for name in {"data", "model", "accepted", "start"} & {key for key, value in call.items() if value}:
        assert any(is_within(path, call[name]) for path in dependencies), f"{stage}: --{name} {call[name]} is no dep"


def test_every_dependency_is_a_result_or_a_file_of_the_project():
    results = [*(path for stage in STAGES for path in results_of(stage)), *(path.def_path for path in CODE.outs)]
    # A link that `code` keeps. It is no result, since DVC removes results, and behind it lies the user's data.
    results.append(str(code.RAW_DATA))
    for name in STAGES:
        for path in dependencies_of(name):
            is_made = any(is_within(path, result) or is_within(result, path) for result in results)
            assert is_made or (PROJECT / path).exists(), f"{name}: nothing makes {path}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_digest_of_its_own_code_which_is_written_first(stage, tmp_path):
    step, _, family = stage.partition("@")
    (digest,) = [path for path in dependencies_of(stage) if is_within(path, "digests")]
    assert digest == f"digests/{family}/{step}.json".replace("//", "/")
    assert digest.removeprefix("digests/") in digests_in(tmp_path)


def digests_in(folder: Path) -> set[str]:
    """The names of the digests that the stage `code` writes, here to `folder`."""
    code.run(folder, PROJECT)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}


def test_no_training_begins_before_the_data_is_judged():
    for name in STAGES:
        if name.startswith("train@"):
            assert set(dependencies_of(name)) & set(results_of("validate")), f"{name} does not wait for validate"


def test_no_digest_has_code_of_the_flows_or_of_what_only_keeps_results(tmp_path):
    digests_in(tmp_path)
    files = [name for file in tmp_path.rglob("*.json") for name in json.loads(file.read_text())["files"]]
    assert any(name.startswith("components/") for name in files)
    assert [name for name in files if name.startswith(("flows/", "pixelwise/tracking/", "pixelwise/registry/"))] == []


def test_dvc_yaml_can_be_read_in_two_minutes():
    assert len((PROJECT / "dvc.yaml").read_text().splitlines()) < 200
