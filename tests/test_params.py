import subprocess
import sys
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import AfterValidator, Field, ValidationError

from pixelwise.errors import ParamsError
from pixelwise.families import names
from pixelwise.identity import PROJECT
from pixelwise.params import Params, flatten, make_defaults, merge, parse, read_section


def even(number: int) -> int:
    """`number`, where it is even."""
    if number % 2:
        raise ValueError("an even number")
    return number


class Small(Params):
    """Small."""

    renamed: ClassVar = {"count": "number"}

    number: Annotated[int, AfterValidator(even)] = Field(0, description="how many")
    tags: dict[str, int] = Field(default_factory=dict)


@pytest.fixture
def file(tmp_path):
    """A parameters file."""
    path = tmp_path / "params.yaml"
    path.write_text("fcn: {train: {epochs: 8}, rate: 0.1}\nempty:\n")
    return path


def test_a_dotted_section_is_found(file):
    assert read_section(file, "fcn") == {"train": {"epochs": 8}, "rate": 0.1}
    assert read_section(file, "fcn.train") == {"epochs": 8}


@pytest.mark.parametrize("section", ["clock", "fcn.export", "fcn.rate.deeper", "empty.train", ""])
def test_a_section_that_is_not_there_is_named(file, section):
    with pytest.raises(ParamsError, match=rf"params.yaml: section {section}: not found$"):
        read_section(file, section)


@pytest.mark.parametrize(("section", "found"), [("fcn.rate", "0.1"), ("empty", "None")])
def test_a_section_that_is_no_mapping_is_named(file, section, found):
    with pytest.raises(ParamsError, match=rf"section {section}: found {found}, expected a mapping,"):
        read_section(file, section)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ParamsError, match=r"none.yaml: no such file, expected the pipeline's parameters$"):
        read_section(tmp_path / "none.yaml", "fcn")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"fcn: [", "not YAML: "),
        (b"fcn: {a: 1}}", "not YAML: "),
        (b"\xff\xfe\xfa", "not UTF-8 text: "),
        (b"a: \x00", "not YAML: "),
        (b"", "found None"),
    ],
)
def test_what_is_not_yaml_is_one_line(file, content, found):
    file.write_bytes(content)
    with pytest.raises(ParamsError, match=rf"^[^\n]*params.yaml: {found}[^\n]*, expected the pipeline's parameters$"):
        read_section(file, "fcn")


def test_values_become_a_model_that_cannot_be_changed():
    small = parse(Small, {"number": 2}, "p.yaml: s")
    assert small.number == 2
    with pytest.raises(ValidationError, match="frozen"):
        small.number = 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nomber": 2}, r"p\.yaml: s\.nomber: unknown key"),
        ({1: 2}, r"p\.yaml: s\.1: found 1, expected: Keys should be strings"),
        ({"number": 3}, r"p\.yaml: s\.number: found 3, expected: Value error, an even number"),
        ({"number": "two\nlines"}, r"p\.yaml: s\.number: found 'two\\nlines', expected: [^\n]+"),
        ({"count": 2}, r"p\.yaml: s\.count: renamed to number"),
        ({"tags": {"a": "b"}}, r"p\.yaml: s\.tags\.a: found 'b', expected: [^\n]+"),
    ],
)
def test_the_first_bad_key_is_named_with_what_was_found_and_expected(values, message):
    with pytest.raises(ParamsError, match=f"^{message}$"):
        parse(Small, values, "p.yaml: s")


def test_a_subclass_has_another_default_and_keeps_range_and_description():
    class Large(Small):
        """Large."""

        number: int = Small.with_default("number", 8)

    assert (Small().number, Large().number) == (0, 8)
    assert Large.model_fields["number"].description == Small.model_fields["number"].description == "how many"
    with pytest.raises(ParamsError, match="expected: Value error, an even number"):
        parse(Large, {"number": 3}, "p.yaml: s")


def test_the_parameters_of_the_families_are_read_without_torch():
    families = ", ".join(f"pixelwise.families.{name}.params" for name in names())
    code = f"import sys\nsys.modules['torch'] = None\nimport {families}"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)


def test_a_renamed_key_of_a_part_is_named_with_the_part():
    class Large(Params):
        """Large."""

        part: Small = Small()

    with pytest.raises(ParamsError, match=r"^p\.yaml: s\.part\.count: renamed to number$"):
        parse(Large, {"part": {"count": 2}}, "p.yaml: s")


def test_of_merged_layers_the_last_wins_key_by_key():
    assert merge({"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}}, {"a": {"e": 0}, "d": {"f": 1}}) == {
        "a": {"b": 1, "c": [3], "e": 0},
        "d": {"f": 1},
    }
    assert merge({"a": {"b": 1}}, {"a": None}) == {"a": None}


def test_values_are_found_by_their_dotted_keys():
    values = {"a": {"b": {"c": 1}, "d": [2, {"e": 3}]}, "f": None}
    assert flatten(values) == {"a.b.c": 1, "a.d": [2, {"e": 3}], "f": None}


def test_the_defaults_of_a_section_are_as_yaml_holds_them():
    class Kinds(Params):
        """Kinds."""

        part: Small = Small(number=4)
        names: tuple[str, ...] = ("a",)
        file: Path | None = Path("b")

    assert make_defaults(Kinds) == {"part": {"number": 4, "tags": {}}, "names": ["a"], "file": "b"}
