import pytest
from support.dvc_repository import make_repository, replace, repro

from flows.dag import DagError, Stage, find_changed, find_stages, read_dag, select, sort_stages

STAGES = [Stage("ingest"), Stage("train@fcn", ("ingest",)), Stage("export@fcn", ("train@fcn",)), Stage("train@clock")]


def test_the_dag_is_that_of_dvc_yaml(tmp_path):
    stages = read_dag(make_repository(tmp_path / "repository"))
    assert stages == [
        Stage("a"), Stage("b@toy", ("a",)), Stage("c@toy", ("a",)), Stage("d", ("b@toy", "c@toy"), is_alone=True),
    ]  # fmt: skip


def test_a_stage_is_changed_where_dvc_would_run_or_restore_it(tmp_path):
    repository = make_repository(tmp_path / "repository")
    repro(repository)
    stages = read_dag(repository)
    assert find_changed(repository, stages) == set()
    replace(repository / "params.yaml", "width: 1", "width: 2")
    (repository / "d.txt").unlink()
    assert find_changed(repository, stages) == {"a", "d"}


def test_a_dvc_yaml_that_is_wrong_gives_one_line(tmp_path):
    repository = make_repository(tmp_path / "repository")
    (repository / "dvc.yaml").write_text("stages:\n  a:\n    deps: [x]\n")
    with pytest.raises(DagError, match=r"^[^\n]*dvc.yaml[^\n]*$"):
        read_dag(repository)


def test_a_dvc_lock_that_is_damaged_gives_one_line(tmp_path):
    repository = make_repository(tmp_path / "repository")
    repro(repository)
    stages = read_dag(repository)
    (repository / "dvc.lock").write_text("schema: '2.0'\nstages: [")
    with pytest.raises(DagError, match=r"^[^\n]*dvc.lock[^\n]*$"):
        find_changed(repository, stages)


def test_an_empty_dvc_yaml_is_an_error(tmp_path):
    repository = make_repository(tmp_path / "repository")
    (repository / "dvc.yaml").write_text("")
    with pytest.raises(DagError, match="no stages"):
        read_dag(repository)


def test_every_stage_comes_after_what_it_needs():
    assert [stage.name for stage in sort_stages(reversed(STAGES))] == [
        "ingest",
        "train@clock",
        "train@fcn",
        "export@fcn",
    ]


def test_a_target_brings_all_it_needs_and_nothing_else():
    assert [stage.name for stage in select(STAGES, ["export@fcn"])] == ["ingest", "train@fcn", "export@fcn"]


def test_an_unknown_target_is_named_with_those_there_are():
    with pytest.raises(DagError, match=r"no stage 'test', expected one of: ingest train@fcn"):
        select(STAGES, ["test"])


def test_a_familys_stages_are_those_that_foreach_made_of_its_name():
    assert find_stages(STAGES, "fcn") == ["train@fcn", "export@fcn"]


def test_an_unknown_family_is_named_with_those_there_are():
    with pytest.raises(DagError, match=r"family 'vgg', expected one of: clock fcn"):
        find_stages(STAGES, "vgg")
