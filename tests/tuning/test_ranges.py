"""The ranges of a search, and the files of the project that hold them."""

import pytest

from pixelwise.errors import ParamsError
from pixelwise.families import find_params
from pixelwise.identity import PROJECT
from pixelwise.params import find_value, make_defaults
from pixelwise.tuning.ranges import FOLDER, Choices, Range, nest, read_ranges

FCN = find_params("fcn").TrainParams


def read(tmp_path, text):
    (tmp_path / "ranges.yaml").write_text(text)
    return read_ranges(tmp_path / "ranges.yaml", FCN, make_defaults(FCN))


def test_a_mapping_is_a_range_and_a_list_is_choices(tmp_path):
    found = read(tmp_path, "learning_rate: {low: 0.001, high: 0.01, log: true}\nnetwork.strides: [[32], [32, 16]]\n")
    assert found == {"learning_rate": Range(low=0.001, high=0.01, log=True), "network.strides": ([32], [32, 16])}
    assert [str(options) for options in found.values()] == ["0.001 to 0.01, log", "[32], [32, 16]"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "found no parameter"),
        ("learning_rat: {low: 1, high: 2}", "learning_rat: unknown key"),
        ("network.widht: {low: 1, high: 2}", "network.widht: unknown key"),
        ("learning_rate: {low: 2, high: 1}", "learning_rate: found low 2 and high 1, expected low < high"),
        ("learning_rate: {low: 0, high: 1, log: true}", "expected 0 < low < high"),
        ("learning_rate: {low: 1, hihg: 2}", "learning_rate.high: missing"),
        ("learning_rate: 0.1", "learning_rate: found 0.1, expected {low: …, high: …} or a list"),
        ("learning_rate: [0.1]", "expected {low: …, high: …} or a list of several values"),
        ("network.dropout: {low: 0, high: 1.5}", ".network.dropout: found 1.5"),
        ("network.fusion: [sum, mean]", ".network.fusion: found 'mean'"),
    ],
)
def test_a_bad_range_is_named_with_its_file(tmp_path, text, said):
    with pytest.raises(ParamsError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/ranges.yaml")


@pytest.mark.parametrize("file", sorted((PROJECT / FOLDER).glob("*.yaml")), ids=lambda file: file.stem)
def test_the_ranges_of_the_project_hold_the_defaults(file):
    model = find_params(file.stem).TrainParams
    defaults = make_defaults(model)
    for key, options in read_ranges(file, model, defaults).items():
        assert options.contains(find_value(defaults, key)), key


def test_choices_contain_their_values_alone():
    assert [Choices([1, [2]]).contains(value) for value in (1, [2], 2)] == [True, True, False]


def test_dotted_keys_become_nested_mappings():
    assert nest({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert nest({}) == {}
