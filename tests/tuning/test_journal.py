"""The file of a search's trials, which several processes write to and any may be killed over."""

import optuna
import pytest

from pixelwise.tuning.journal import open_journal


@pytest.fixture
def file(tmp_path):
    """The journal of a study with one finished trial."""
    study = optuna.create_study(storage=open_journal(tmp_path / "search/journal.log"), study_name="a")
    study.tell(study.ask(), 0.5)
    return tmp_path / "search/journal.log"


def load(file):
    return optuna.load_study(study_name="a", storage=open_journal(file))


def test_two_processes_see_each_others_trials(file):
    first, second = load(file), load(file)
    first.tell(first.ask(), 0.7)
    assert second.ask().number == 2
    assert [trial.value for trial in second.trials[:2]] == [0.5, 0.7]


def test_a_line_that_a_kill_cut_short_is_dropped(file):
    file.write_bytes(file.read_bytes() + b'{"op_code":4,"work')
    study = load(file)
    study.tell(study.ask(), 0.7)
    assert [trial.value for trial in load(file).trials] == [0.5, 0.7]
