import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field, PositiveFloat, PositiveInt

from pixelwise import command
from pixelwise.errors import DataError
from pixelwise.params import Params

PROJECT = Path(__file__).resolve().parent.parent
PARAMS = "toy:\n  count: 3\n  mode: fast\n  limit: 0.5\n  inner: {depth: 2}\n  weights: {a: 1.0}\n"
SPEAKER = """
from pixelwise import command
def run() -> str:
    return "a line\\n" * 3
command.main(run, argv=[])
"""


class Inner(Params):
    """A part."""

    depth: PositiveInt


class ToyParams(Params):
    """A toy."""

    renamed: ClassVar = {"how_many": "count"}

    count: PositiveInt = Field(description="how many there are")
    mode: Literal["fast", "slow"]
    limit: PositiveFloat | None
    inner: Inner
    weights: dict[str, float]


def run(
    params: ToyParams,
    inputs: Annotated[Sequence[Path], "what to read"],
    out: Annotated[Path, "where to write"],
    kind: Annotated[Literal["a", "b"], "which kind"] = "a",
    is_dry: Annotated[bool, "write nothing"] = False,
    threads: Annotated[int | None, "how many threads"] = None,
) -> str:
    """Do a toy's work.

    Raises nothing.
    """
    return f"{params!r} {list(inputs)} {out} {kind} {is_dry} {threads}"


@pytest.fixture(autouse=True)
def params_file(tmp_path, monkeypatch):
    """params.yaml of the working directory."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "params.yaml"
    file.write_text(PARAMS)
    return file


def fails(argv, run=run, section="toy"):
    """What `argv` is told as it ends."""
    with pytest.raises(SystemExit) as end:
        command.main(run, section, argv)
    assert isinstance(end.value.code, str), "a message, so status 1"
    assert "\n" not in end.value.code
    return end.value.code


def test_the_options_are_the_arguments_of_run_with_their_types(capsys):
    command.main(run, "toy", ["x", "y", "--out", "o", "--kind", "b", "--is-dry", "--threads", "4"])
    assert capsys.readouterr().out.endswith("[PosixPath('x'), PosixPath('y')] o b True 4\n")


def test_what_is_not_given_has_the_default_of_run(capsys):
    command.main(run, "toy", ["x", "--out", "o"])
    assert capsys.readouterr().out.endswith("a False None\n")


def test_the_help_has_the_docstring_the_notes_and_the_descriptions(capsys):
    with pytest.raises(SystemExit, match="0"):
        command.main(run, "toy", ["--help"])
    shown = capsys.readouterr().out
    for words in ("Do a toy's work.", "where to write", "how many there are", "--mode {fast,slow}", "--limit FLOAT"):
        assert words in shown


def test_an_option_of_a_field_is_over_the_file():
    values = vars(command.make_parser(run, "toy").parse_args(["x", "--out", "o", "--count", "7", "--limit", "none"]))
    params = command.make_arguments(run, values)["params"]
    assert (params.count, params.limit, params.mode, params.inner.depth) == (7, None, "fast", 2)


def test_fields_with_parts_are_set_in_the_file_alone(capsys):
    with pytest.raises(SystemExit, match="0"):
        command.main(run, "toy", ["--help"])
    shown = capsys.readouterr().out
    assert "--inner" not in shown
    assert "--weights" not in shown


def test_another_file_and_another_section_can_be_named(tmp_path, capsys):
    (tmp_path / "other.yaml").write_text("a: {b: {count: 9, mode: slow, limit: 1, inner: {depth: 1}, weights: {}}}")
    command.main(run, "toy", ["x", "--out", "o", "--params", "other.yaml", "--section", "a.b"])
    assert "count=9, mode='slow'" in capsys.readouterr().out


def test_a_section_takes_the_value_of_an_argument(params_file, capsys):
    params_file.write_text("b:\n" + indent(PARAMS, "  "))
    command.main(run, "{kind}.toy", ["x", "--out", "o", "--kind", "b"])
    assert "count=3" in capsys.readouterr().out


def test_without_a_section_the_options_are_all_there_is():
    class Small(Params):
        """Small."""

        count: PositiveInt

    def small(params: Small) -> int:
        return params.count

    assert fails([], small, None) == "error: options.count: missing"
    assert fails(["--count", "0"], small, None).startswith("error: options.count: found '0', expected:")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("count: 3", "count: 0", "params.yaml: toy.count: found 0, expected: Input should be greater than 0"),
        ("count: 3", "count: many", "params.yaml: toy.count: found 'many', expected: Input should be a valid integer"),
        ("  count: 3\n", "", "params.yaml: toy.count: missing"),
        ("count: 3", "count: 3\n  colour: red", "params.yaml: toy.colour: unknown key"),
        ("mode: fast", "mode: warp", "params.yaml: toy.mode: found 'warp', expected: Input should be 'fast' or 'slow'"),
        ("depth: 2", "depth: -1", "params.yaml: toy.inner.depth: found -1, expected: Input should be greater than 0"),
        ("a: 1.0", "a: b", "params.yaml: toy.weights.a: found 'b', expected: Input should be a valid number"),
        ("toy:", "tay:", "params.yaml: section toy: not found"),
        ("toy:", "toy: [", "params.yaml: not YAML: "),
        (PARAMS, "toy: 3", "params.yaml: section toy: found 3, expected a mapping, {} for the defaults"),
    ],
)
def test_a_bad_key_is_named_with_file_and_section_in_one_line(params_file, old, new, message):
    assert old in PARAMS
    params_file.write_text(PARAMS.replace(old, new))
    assert fails(["x", "--out", "o"]).startswith(f"error: {message}")


def test_a_former_option_is_refused_with_the_name_that_it_has_now(capsys):
    assert fails(["x", "--out", "o", "--how-many", "3"]) == "error: --how-many: renamed to --count"
    with pytest.raises(SystemExit, match="0"):
        command.main(run, "toy", ["--help"])
    assert "--how-many" not in capsys.readouterr().out


def test_a_section_with_braces_of_nothing_is_only_not_found():
    assert fails(["x", "--out", "o", "--section", "{0}{lost}"]) == "error: params.yaml: section {0}{lost}: not found"


@pytest.mark.parametrize("argv", [["x"], ["--out", "o"], ["x", "--out", "o", "--kind", "c"], ["x", "--ou", "o"]])
def test_a_missing_unknown_or_abbreviated_option_ends_with_status_2_and_is_named(argv, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main(run, "toy", argv)
    assert "\npixelwise test-command-line: error: " in capsys.readouterr().err


def test_an_error_of_ours_is_one_line():
    def broken() -> None:
        raise DataError("label a.png: value 12, but camvid has classes 0 to 10")

    assert fails([], broken, None) == "error: label a.png: value 12, but camvid has classes 0 to 10"


def test_what_the_system_refuses_is_one_line_that_names_the_file(tmp_path):
    def write() -> None:
        (tmp_path / "params.yaml" / "out.json").write_text("")

    assert fails([], write, None).endswith(f"Not a directory: '{tmp_path}/params.yaml/out.json'")


def test_a_stopped_step_says_how_to_go_on():
    def stopped() -> None:
        raise KeyboardInterrupt

    assert "run the same command to resume" in fails([], stopped, None)


def test_a_fault_of_our_own_keeps_its_traceback():
    def faulty() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command.main(faulty, None, [])


def test_a_reader_that_goes_away_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", SPEAKER], cwd=PROJECT, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_option_is_found_before_the_rest_is_understood():
    argv = ["--other", "1", "--family", "clock", "x"]
    assert command.read_option("family", argv, default="fcn") == "clock"
    assert command.read_option("family", ["--other"], default="fcn") == "fcn"


def test_a_field_that_is_a_tuple_takes_words_joined_by_commas():
    class Listed(Params):
        """Listed."""

        names: tuple[str, ...] = ("x",)
        rates: tuple[float, ...] = ()

    def listed(params: Listed) -> None:
        """Take lists."""

    values = vars(command.make_parser(listed, None).parse_args(["--names", "a,b", "--rates", "1,0.5"]))
    params = command.make_arguments(listed, values)["params"]
    assert (params.names, params.rates) == (("a", "b"), (1.0, 0.5))
    assert command.make_arguments(listed, vars(command.make_parser(listed, None).parse_args([])))["params"] == Listed()


def test_a_report_of_bad_news_is_printed_and_fails_the_command(capsys):
    @dataclass
    class Report:
        failure: str | None

        def __str__(self):
            return "all that was found"

    def run(bad: bool = False) -> Report:
        """A step."""
        return Report("refused: too slow" if bad else None)

    command.main(run, argv=[])
    with pytest.raises(SystemExit) as ended:
        command.main(run, argv=["--bad"])
    assert (ended.value.code, capsys.readouterr().out) == ("error: refused: too slow", "all that was found\n" * 2)
