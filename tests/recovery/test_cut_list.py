"""A DVC that was killed as it wrote its list of who works on what: no work is possible until the list is gone."""

import json

import pytest
from dvc.exceptions import ReproductionError
from support.dvc_repository import make_repository, repro

from flows.settings import prepare_dvc
from pixelwise.dvc_lock import RWLOCK, remove_truncated_lock
from pixelwise.tools.why import run


def write_list(project, text):
    file = project / RWLOCK
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_list_that_a_killed_dvc_left_cut_stops_no_work(tmp_path):
    repository = make_repository(tmp_path / "repository")
    write_list(repository, "")
    with pytest.raises(ReproductionError):
        repro(repository)
    assert "never ran" in str(run(["d"], repository))
    repro(repository)


def test_a_list_that_is_whole_stays(tmp_path):
    file = write_list(tmp_path, json.dumps({"write": {"a.txt": {"pid": 1, "cmd": "dvc repro"}}}))
    remove_truncated_lock(tmp_path)
    assert file.exists()


def test_the_flow_removes_a_cut_list_before_it_asks_dvc(tmp_path):
    repository = make_repository(tmp_path / "repository")
    file = write_list(repository, '{"write": {')
    prepare_dvc(repository)
    assert not file.exists()
