"""A tiny git and DVC repository: a → b, a → c, b + c → d, in shell, with parameters."""

import logging
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
STAGES = """\
stages:
  a:
    cmd: echo making a; cat data.txt > a.txt
    deps: [data.txt]
    params: [a]
    outs: [a.txt]
  b:
    foreach: [toy]
    do:
      cmd: cat a.txt > b.txt
      deps: [a.txt]
      outs: [b.txt]
  c:
    foreach: [toy]
    do:
      cmd: cat a.txt code.py > c.txt
      deps: [a.txt, code.py]
      params: [toy.rate]
      outs: [c.txt]
  d:
    cmd: cat b.txt c.txt > d.txt
    deps: [b.txt, c.txt]
    outs: [d.txt]
    meta: {alone: true}
"""


def make_repository(folder: Path) -> Path:
    """A repository at `folder` whose stages never ran."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    shutil.copytree(PROJECT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "params.yaml").write_text("a: {width: 1, names: [x]}\ntoy: {rate: 0.1}\n")
    (folder / "data.txt").write_text("data\n")
    (folder / "code.py").write_text("code\n")
    return folder


def copy_code(folder: Path) -> None:
    """Put this project's packages into `folder`, where a command that is started there finds them first."""
    for name in ("flows", "components", "pixelwise"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def replace(file: Path, old: str, new: str) -> None:
    """Put `new` in the place of `old` in a text file, which must have it."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def repro(folder: Path, targets: Sequence[str] = ()) -> list[str]:
    """Bring the targets, or all stages, up to date; what DVC says meanwhile, line by line.

    It is done in this process: a new one would import DVC for longer than the stages take.
    """
    from dvc.repo import Repo

    logger, lines = logging.getLogger("dvc"), Lines()
    logger.addHandler(lines)
    try:
        with chdir(folder), Repo() as repository:
            repository.reproduce(targets or None)
    finally:
        logger.removeHandler(lines)
    return lines.messages


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
