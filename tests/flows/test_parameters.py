import shutil

import pytest
from support.dvc_repository import PROJECT, replace
from support.small_project import make_project, pixelwise

from flows.parameters import require_params
from pixelwise.errors import ParamsError

STAGES = ["code", "ingest", "train@fcn", "evaluate@fcn"]


@pytest.fixture
def project(tmp_path):
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    return tmp_path


def test_the_parameters_of_this_project_and_a_section_of_the_users_own_are_taken(project):
    with (project / "params.yaml").open("a") as file:
        file.write("mine: {key: 1}\n")
    require_params(project, [*STAGES, "mine"], [*STAGES, "mine"])


def test_a_misspelt_key_of_a_late_stage_is_named_before_the_first_runs(project):
    replace(project / "params.yaml", "  evaluate:\n    split: val", "  evaluate:\n    spilt: val")
    with pytest.raises(ParamsError, match=r"^params.yaml: fcn.evaluate.spilt: unknown key$"):
        require_params(project, STAGES, ["train@fcn"])
    require_params(project, STAGES, ["ingest"])


def test_a_wrong_limit_of_the_gate_is_named_even_where_no_stage_has_work(project):
    replace(project / "params.yaml", "    mean_iu_floor: 0.3", "    mean_iu_flor: 0.3")
    with pytest.raises(ParamsError, match=r"^params.yaml: fcn.release.mean_iu_flor: unknown key$"):
        require_params(project, STAGES, [])
    require_params(project, ["ingest", "train@guided"], [])


def test_a_wrong_prefix_of_the_registry_is_named_before_the_first_stage_runs(project):
    with (project / "params.yaml").open("a") as file:
        file.write("registry: {prefix: roads/night}\n")
    with pytest.raises(ParamsError, match=r"^params.yaml: registry.prefix: found 'roads/night', expected: "):
        require_params(project, STAGES, [])


@pytest.mark.slow
def test_a_run_names_a_misspelt_key_of_a_late_stage_before_its_first_stage(tmp_path):
    checkout = make_project(tmp_path / "checkout", {"fcn": {"evaluate": {"batch_sise": 4}}})
    status, told = pixelwise(checkout, "run", "fcn")
    assert (status, told.splitlines()[-1]) == (1, "error: params.yaml: fcn.evaluate.batch_sise: unknown key")
    assert not (checkout / "data/prepared").exists()
