import pytest
from support.dvc_repository import make_repository, replace, repro

from pixelwise.changes import StageError
from pixelwise.tools.why import run


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A repository with every stage up to date."""
    repository = make_repository(tmp_path_factory.mktemp("why") / "repository")
    repro(repository)
    return repository


@pytest.fixture(scope="module")
def report(done):
    """Why d would run, after parameters, data, code, a command and a result were changed."""
    assert str(run(["d"], done)) == "d: up to date"
    replace(done / "params.yaml", "width: 1, names: [x]", "width: 2, depth: 3")
    replace(done / "params.yaml", "rate: 0.1", "rate: null")
    replace(done / "data.txt", "data", "more data")
    replace(done / "code.py", "code", "more code")
    replace(done / "dvc.yaml", "cat a.txt > b.txt", "cat a.txt a.txt > b.txt")
    replace(done / "dvc.yaml", "cat b.txt c.txt", "cat c.txt b.txt")
    (done / "b.txt").unlink()
    return run(["c@toy", "d"], done)


def reasons(report, stage):
    return {**report.own, **report.upstream}[stage]


def test_parameters_are_named_with_their_old_and_their_new_values(report):
    assert set(reasons(report, "a")) >= {
        "parameter a.width: 1 → 2",
        'parameter a.names: ["x"] → not set',
        "parameter a.depth: not set → 3",
    }


def test_a_parameter_set_to_nothing_is_not_one_removed(report):
    assert "parameter toy.rate: 0.1 → null" in reasons(report, "c@toy")


def test_changed_code_is_told_from_changed_data(report):
    assert "data data.txt: modified" in reasons(report, "a")
    assert "data code.py: modified" in reasons(report, "c@toy")


def test_a_changed_command_and_a_deleted_result_are_named(report):
    assert "command: cat b.txt c.txt > d.txt → cat c.txt b.txt > d.txt" in reasons(report, "d")
    # What `foreach` makes of a template only DVC knows.
    assert "command: cat a.txt > b.txt → see dvc.yaml" in reasons(report, "b@toy")
    assert "result b.txt: deleted" in reasons(report, "b@toy")


def test_stages_that_run_first_come_under_their_names_and_the_next_command_last(report):
    text = str(report)
    assert text.startswith("c@toy: would run again")
    assert "\nfirst a:\n  " in text
    assert text.endswith("next: dvc repro c@toy d")


def test_a_stage_that_never_ran_says_so(tmp_path):
    report = run(["b@toy"], make_repository(tmp_path / "repository"))
    assert report.own == {"b@toy": ("it never ran here",)}
    assert list(report.upstream) == ["a"]


def test_an_unknown_stage_is_named_with_those_there_are(done):
    with pytest.raises(StageError, match="no stage 'train', expected one of: a b c d"):
        run(["train"], done)


def test_a_folder_without_a_pipeline_gives_one_line(tmp_path):
    with pytest.raises(StageError, match=r"^[^\n]+dvc.yaml: no such file, expected the pipeline$"):
        run(["a"], tmp_path)
