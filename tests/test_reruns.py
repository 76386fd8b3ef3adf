"""What reruns and what does not, by DVC itself on a repository with this project's dvc.yaml, code and stub steps."""

import pytest
from support.dvc_repository import replace
from support.stub_pipeline import StubPipeline

FAMILIES = ("clockwork", "composition", "fcn", "guided")
NET = "pixelwise/families/fcn/net.py"
RECORDER, REFERENCES = "pixelwise/tracking/runs.py", "pixelwise/registry/references.py"
CHANGE = "\nrerun_everything = 1\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A pipeline whose stages have all run."""
    pipeline = StubPipeline(tmp_path_factory.mktemp("reruns"))
    ran, _ = pipeline.repro()
    assert {f"train@{family}" for family in FAMILIES} <= ran
    return pipeline


@pytest.fixture
def pipeline(made):
    """That pipeline, whose code and packages are put back in the end."""
    files = [made.checkout / name for name in (NET, RECORDER, REFERENCES)]
    before = {file: file.read_text() for file in files}
    yield made
    for file, text in before.items():
        file.write_text(text)
    made.uninstall()


def append(pipeline, name, text):
    file = pipeline.checkout / name
    file.write_text(file.read_text() + text)


def test_comments_docstrings_the_recorder_the_registry_and_a_bump_of_tools_rerun_nothing(pipeline):
    append(pipeline, NET, "\n# A comment.\n")
    net = pipeline.checkout / NET
    net.write_text(net.read_text().replace('    """', '    """Another docstring. ', 1))
    append(pipeline, RECORDER, CHANGE)
    append(pipeline, REFERENCES, CHANGE)
    pipeline.install("ruff", "999")
    pipeline.install("pytest", "999")
    assert pipeline.repro() == (set(), set())


def test_a_constant_in_the_net_trains_those_that_use_it_and_back_again_restores_the_same_runs(pipeline):
    before = {family: pipeline.run_id(family) for family in FAMILIES}
    append(pipeline, NET, CHANGE)
    asked = pipeline.why("train@fcn", "train@guided")
    assert f"  code {NET}: modified" in asked
    assert "train@guided: up to date" in asked.splitlines()[2:]
    ran, _ = pipeline.repro("train")
    assert ran == {"train@fcn", "train@clockwork", "train@composition"}
    assert [family for family in FAMILIES if pipeline.run_id(family) == before[family]] == ["guided"]
    (pipeline.checkout / NET).write_text((pipeline.checkout / NET).read_text().removesuffix(CHANGE))
    assert pipeline.repro("train") == (set(), ran)
    assert {family: pipeline.run_id(family) for family in FAMILIES} == before


def test_another_version_of_torch_trains_all_and_back_again_restores_the_same_runs(pipeline):
    before = {family: pipeline.run_id(family) for family in FAMILIES}
    pipeline.install("torch", "999")
    assert "  library torch: " in (asked := pipeline.why("train@guided"))
    assert " → 999\n" in asked
    ran, _ = pipeline.repro("train")
    assert ran == {f"train@{family}" for family in FAMILIES}
    pipeline.uninstall()
    assert pipeline.repro("train") == (set(), ran)
    assert {family: pipeline.run_id(family) for family in FAMILIES} == before


def test_raw_data_is_read_again_when_a_file_of_it_changes_and_the_town_has_none(pipeline):
    params, raw = pipeline.checkout / "params.yaml", pipeline.checkout / "data/raw/mine"
    text = params.read_text()
    raw.mkdir(parents=True)
    (raw / "picture.png").write_text("one")
    replace(params, "root: null", "root: data/raw/mine")
    assert pipeline.repro("ingest")[0] == {"ingest"}
    assert pipeline.repro("ingest")[0] == set()
    (raw / "picture.png").write_text("two")
    assert pipeline.repro("ingest")[0] == {"ingest"}
    params.write_text(text)
    assert pipeline.repro("ingest") == (set(), {"ingest"})
    (raw / "picture.png").write_text("three")
    assert pipeline.repro("ingest") == (set(), set())
