"""JSON and YAML files that are missing, damaged or hold something else end in one line that says what was expected."""

import pytest

from pixelwise.documents import read_json, read_text, read_yaml
from pixelwise.errors import DataError, ParamsError


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "no such file"),
        (b"", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b"[1]", "Input should be an object"),
        (b'{"a": "x"}', "a: Input should be a valid number, unable to parse string as a number"),
        (b"\xff", "not UTF-8 text: byte 0 is 0xff"),
    ],
)
def test_json_that_is_something_else_is_named_with_what_was_expected(tmp_path, content, found):
    file = tmp_path / "scores.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError) as raised:
        read_json(file, "scores", dict[str, float])
    assert str(raised.value) == f"{file}: {found}, expected scores"


@pytest.mark.parametrize(
    ("content", "found"),
    [("a: [", "not YAML: while parsing"), ("day: 2001-99-99", "not YAML: month must be"), ("[1]", r"found \[1\]")],
)
def test_yaml_that_is_no_mapping_is_the_error_that_the_reader_asked_for(tmp_path, content, found):
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(ParamsError, match=rf"^[^\n]*a\.yaml: {found}[^\n]*, expected parameters$"):
        read_yaml(tmp_path / "a.yaml", "parameters", error=ParamsError)


def test_a_default_stands_for_a_missing_file_and_not_for_a_damaged_one(tmp_path):
    assert read_json(tmp_path / "a", "scores", default=None) is None
    assert read_yaml(tmp_path / "a", "classes", default={}) == {}
    (tmp_path / "a").write_text("[")
    with pytest.raises(DataError):
        read_json(tmp_path / "a", "scores", default=None)
    with pytest.raises(DataError):
        read_yaml(tmp_path / "a", "classes", default={})


def test_a_folder_and_a_byte_order_mark(tmp_path):
    with pytest.raises(DataError, match="Is a directory, expected UTF-8 text"):
        read_text(tmp_path)
    (tmp_path / "windows.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "windows.json", "anything") == {"a": 1}
