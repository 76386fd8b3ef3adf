import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixelwise import cli

PROJECT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "onnx", "onnxruntime", "mlflow", "prefect", "dvc", "great_expectations", "pydantic", "yaml", "numpy")
HELP = f"""
import json, sys
from pixelwise.cli import main
sys.argv = ["pixelwise", "--help"]
main()
print(json.dumps([name for name in {HEAVY} if name in sys.modules]), file=sys.stderr)
"""
EMPTY = ["--model", "empty", "--out", "out"]
NO_DATA = ["--data", "empty", "--out", "out"]
BAD = {
    "ingest": ["--dataset", "camvid", "--root", "empty", "--out", "out"],
    "ingest: no root": ["--dataset", "voc", "--root", "lost", "--out", "out"],
    "ingest: dataset": ["--dataset", "imagenet", "--out", "out"],
    "ingest: number": ["--max-pixels", "many", "--out", "out"],
    "ingest: file": ["--params", "lost.yaml", "--out", "out"],
    "ingest: folder": ["--params", "empty", "--out", "out"],
    "init": ["empty"],
    "init: no such folder": ["lost"],
    "inspect": ["empty", "--page", "out/page.html"],
    "inspect: no such folder": ["lost", "--page", "out/page.html"],
    "validate": NO_DATA,
    "validate: no such folder": ["--data", "lost", "--out", "out"],
    "train": ["--family", "fcn", *NO_DATA, "--state", "state"],
    "train: family": ["--family", "vgg", *NO_DATA, "--state", "state"],
    "train: number": ["--family", "fcn", *NO_DATA, "--state", "state", "--epochs", "-1"],
    "export": EMPTY,
    "export: section": ["--section", "clock.export", *EMPTY],
    "quantize": ["--model", "empty", *NO_DATA],
    "evaluate": ["--model", "empty", "--data", "empty"],
    "evaluate: neither data nor dataset": ["--model", "empty"],
    "evaluate: dataset": ["--model", "empty", "--dataset", "imagenet", "--root", "empty"],
    "benchmark": EMPTY,
    "code": ["--out", "digests"],
    "calibrate": ["--model", "empty", "--speed", "3", "clip.mp4"],
    "calibrate: nothing wanted": ["--model", "empty", "clip.mp4"],
    "profile-stages": ["--model", "empty"],
    "predict": ["--model", "empty", "--output", "out", "picture.png"],
    "predict: schedule": ["--model", "empty", "--output", "out", "--schedule", "motion", "clip.mp4"],
    "suggest": ["--model", "empty", "--output", "out", "pictures"],
    "suggest: none": ["--model", "empty", "--output", "out", "--count", "0", "pictures"],
    "guide": ["--model", "empty", "--output", "out", "picture.png"],
    "guide: model": ["--model", "empty", "--output", "out", "--clicks", "clicks.json", "picture.png"],
    "train: start": ["--family", "clockwork", "--start", "empty", *NO_DATA, "--state", "state"],
    "register": ["--name", "fcn", "--model", "empty", "--evaluation", "empty"],
    "promote": ["--name", "fcn", "--tracking", "sqlite:///lost/mlflow.db"],
    "promote: name": ["--name", "clock"],
    "release": ["show"],
    "release: act": ["show", "fcn", "--on", "yesterday"],
    "release: rollback": ["rollback", "fcn"],
    "release: find": ["find", "abc"],
    "reproduce": ["models:/fcn@champion"],
    "serve": ["empty"],
    "serve: registry": ["models:/fcn@champion", "--tracking", "sqlite:///lost/mlflow.db"],
    "serve: reference": ["models:/fcn"],
    "run": [],
    "apply": ["bold-lion"],
    "apply: two": ["bold-lion", "wild-crow"],
    "studio": ["--model", "empty"],
    "studio: correct": ["--correct", "empty"],
    "study": ["table-9.9"],
    "study: data": ["oracle", "--data", "empty"],
    "study: seeds": ["oracle", "--seeds", "0,x"],
    "study: nothing to draw": ["oracle", "--redraw"],
    "tune": ["--data", "empty"],
    "tune: family": ["--family", "vgg"],
    "tune: ranges": ["--ranges", "lost.yaml"],
    "send-runs": ["--tracking", "sqlite:///lost/mlflow.db"],
    "use": ["lost.yaml"],
    "params: file": ["--params-file", "lost.yaml"],
    "params: section": ["fcn.trian"],
    "use: params": ["--params-file", "lost.yaml", "params.yaml"],
    "verify": [],
    "verify: registry": ["--tracking", "sqlite:///lost/mlflow.db"],
    "watch": ["--model", "empty", "seen.jsonl"],
    "watch: no such file": ["--model", "models:/fcn@champion", "lost.jsonl"],
    "why": ["train"],
    "why: model": ["models:/fcn@champion"],
    "predict: registered": ["--model", "models:/fcn@champion", "--output", "out", "picture.png"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with params.yaml, an empty folder and nothing else."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    (tmp_path / "empty").mkdir()
    return tmp_path


def pixelwise(monkeypatch, *argv):
    """Run the command in this process; returns what it exits with."""
    monkeypatch.setattr(sys, "argv", ["pixelwise", *argv])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


def test_help_lists_every_verb_and_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert all(f"\n  {verb} " in done.stdout for verb in cli.VERBS)
    assert json.loads(done.stderr) == []


@pytest.mark.parametrize("argv", [[], ["-h"], ["--help"]])
def test_without_a_verb_the_help_is_shown(argv, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pixelwise", *argv])
    cli.main()
    assert capsys.readouterr().out.startswith("usage: pixelwise VERB")


@pytest.mark.parametrize("verb", ["fly", "", "--version", "step", "errors"])
def test_an_unknown_verb_is_named_with_those_there_are(verb, monkeypatch):
    code = pixelwise(monkeypatch, verb)
    assert code == f"error: unknown verb {verb!r}, expected one of: {' '.join(cli.VERBS)}"


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_says_what_it_takes(verb, monkeypatch, capsys):
    assert pixelwise(monkeypatch, verb, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: pixelwise {verb} [-h]")


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_refuses_an_option_that_it_does_not_have(verb, monkeypatch, capsys):
    assert pixelwise(monkeypatch, verb, "--no-such-option", "1") == 2
    assert f"pixelwise {verb}: error: " in capsys.readouterr().err.splitlines()[-1]


def test_every_verb_is_tried_with_bad_input():
    assert {case.partition(":")[0] for case in BAD} == set(cli.VERBS)


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_one_line_and_writes_nothing(case, folder, monkeypatch):
    code = pixelwise(monkeypatch, case.partition(":")[0], *BAD[case])
    assert isinstance(code, str), "a message, so status 1"
    assert code.startswith("error: ")
    assert "\n" not in code
    assert sorted(path.name for path in folder.iterdir()) == ["empty", "params.yaml"]


def test_the_command_itself_ends_with_status_1_one_line_and_no_traceback(folder):
    command = [Path(sys.executable).with_name("pixelwise"), "use", "lost.yaml"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: lost.yaml: no such file, expected a recipe\n"
