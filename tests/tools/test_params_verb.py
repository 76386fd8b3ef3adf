from pathlib import Path

import pytest

from pixelwise.errors import ParamsError
from pixelwise.identity import PROJECT
from pixelwise.tools.params import run

PARAMS = """\
recipes: [night.yaml, lost.yaml]
ingest: {dataset: town}
fcn:
  train: {epochs: 30, momentum: 0.8, batch_size: 8, network: {strides: [32]}}
  release:
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """params.yaml with what a recipe set and a value of one's own."""
    monkeypatch.chdir(tmp_path)
    Path("night.yaml").write_text("fcn: {train: {epochs: 30, batch_size: 16, network: {strides: [32]}}}")
    Path("params.yaml").write_text(PARAMS)
    return Path("params.yaml")


def found(*section):
    """The values of the only section asked for, by key."""
    ((_, values),) = run(section).sections.items()
    return {value.key: value for value in values}


def test_every_value_of_a_section_is_there_with_where_it_comes_from(file):
    values = found("fcn.train")
    origins = {key: (values[key].text, values[key].origin) for key in ("epochs", "momentum", "batch_size", "seed")}
    assert origins == {
        "epochs": ("30", "night"),
        "momentum": ("0.8", "params.yaml"),
        "batch_size": ("8", "default"),
        "seed": ("0", "default"),
    }
    assert (values["network.strides"].text, values["network.strides"].origin) == ("[32]", "night")


def test_every_value_has_its_meaning(file):
    assert found("fcn.train")["epochs"].meaning == "passes over the training split"


def test_part_of_a_section_can_be_asked_for_and_all_sections_of_a_family(file):
    assert set(found("fcn.train.network.strides")) == {"network.strides"}
    assert all(key.startswith("augment.") for key in found("fcn.train.augment"))
    assert set(run(["fcn"]).sections) == {"fcn.train", "fcn.release"}
    assert set(run([]).sections) == {"ingest", "fcn.train", "fcn.release", "registry"}
    assert set(found("registry")) == {"prefix"}


@pytest.mark.parametrize("section", ["fcn.trian", "fcn.tra", "fcn.train.epoch", "guided", "recipes", "fcn."])
def test_an_unknown_section_is_one_line_that_names_those_there_are(file, section):
    with pytest.raises(
        ParamsError, match=rf"^section {section}: unknown, expected one of: ingest, fcn.train, fcn.release, registry$"
    ):
        run([section])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("fcn: {train: {epoch: 3}}", r"params.yaml: fcn.train.epoch: unknown key"),
        ("fcn: {trian: {}}", r"params.yaml: fcn.trian: unknown section"),
        ("fcn: 3", r"params.yaml: fcn: found 3, expected a mapping"),
        ("", r"params.yaml: found None, expected the pipeline's parameters"),
    ],
)
def test_a_bad_file_is_one_line(file, content, message):
    file.write_text(content)
    with pytest.raises(ParamsError, match=rf"^{message}$"):
        run([])


def test_the_table_is_wrapped_to_the_terminal(file, monkeypatch):
    monkeypatch.setenv("COLUMNS", "110")
    text = str(run(["fcn.train"]))
    assert text.startswith("fcn.train\n  device ")
    assert max(len(line) for line in text.splitlines()[:-1]) <= 110
    assert "epochs                      30                  night        passes over the training split\n" in text


def test_the_file_of_the_checkout_can_be_shown(monkeypatch):
    monkeypatch.chdir(PROJECT)
    assert {value.origin for values in run([]).sections.values() for value in values} == {"default"}
