"""Measure the cost of many pictures: `python -m benchmarks.many_pictures`.

For each number of pictures: the peak memory of the ingest, and the seconds of a `dvc repro` with nothing to do, with
the pictures as loose files outside the checkout and as one archive. Each picture has a mask, which is a second file.
"""

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml

from flows.command import make_environment
from pixelwise import command
from pixelwise.data.image_codec import encode_picture
from pixelwise.progress import progress
from pixelwise.timing import describe_machine, measure_spread

SIDE, CLASSES = 32, 4
# Outside the project: DVC searches the project's folders for stages and would scan the loose files a second time.
ROOTS = {"files": "../pictures", "archive": "../pictures.zip"}
STAGES = {
    name: {
        "cmd": f"pixelwise ingest --section {name} --out {name}",
        "params": [name],
        "deps": [f"${{{name}.root}}"],
        "outs": [name],
    }
    for name in ROOTS
}


@dataclass(frozen=True)
class Cost:
    """For `images` pictures: peak MiB of the ingest, and seconds of each `dvc repro` without changes, by root."""

    images: int
    megabytes: float
    seconds: dict[str, list[float]]

    def __str__(self) -> str:
        times = ", ".join(f"{name} {measure_spread(seconds):.1f} s" for name, seconds in self.seconds.items())
        return f"{self.images:>7,} images: ingest at most {self.megabytes:.0f} MB; dvc repro without changes: {times}"


def run(counts: Annotated[Sequence[int], "how many pictures; default: 5000 50000"] = (5000, 50000)) -> str:
    """Measure each number of small pictures in a temporary folder; this takes minutes."""
    return "\n".join([describe_machine(), *(str(measure(count)) for count in counts or (5000, 50000))])


def measure(count: int) -> Cost:
    """Make `count` pictures and their labels, ingest them, and measure reruns without changes."""
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder), count)
        peak = measure_peak_memory(["pixelwise", "ingest", "--section", "files", "--out", "alone"], project)
        for name in STAGES:
            call(["dvc", "repro", "--quiet", name], project)
        return Cost(count, peak, {name: repeat(["dvc", "repro", name], project) for name in STAGES})


def make_project(folder: Path, count: int) -> Path:
    """Make a DVC project in `folder` whose stages ingest the same `count` pictures, loose and from one archive."""
    project = folder / "project"
    project.mkdir()
    call(["dvc", "init", "--quiet", "--no-scm"], project)
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    sections = {name: {"dataset": "folder", "root": root} for name, root in ROOTS.items()}
    (project / "params.yaml").write_text(yaml.safe_dump(sections))
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(project / ROOTS["archive"], "w") as archive:

        def keep(name: str, content: bytes) -> None:
            path = project / ROOTS["files"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            archive.writestr(name, content)

        keep("classes.yaml", yaml.safe_dump({"names": [f"class {index}" for index in range(CLASSES)]}).encode())
        for index in progress(range(count), "make pictures", total=count):
            name = f"train/{{}}/{index // 1000:03}/{index:06}.png"
            keep(name.format("images"), encode_picture(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)))
            keep(name.format("masks"), encode_picture(rng.integers(0, CLASSES, (SIDE, SIDE), np.uint8)))
    return project


def call(command: Sequence[str], project: Path) -> None:
    """Run a command of this Python environment in `project`."""
    subprocess.run(command, cwd=project, env=make_environment(), check=True, stdout=subprocess.DEVNULL)


def repeat(command: Sequence[str], project: Path) -> list[float]:
    """Run a command three times; return the seconds of each."""
    took = []
    for _ in range(3):
        started = time.perf_counter()
        call(command, project)
        took.append(time.perf_counter() - started)
    return took


def measure_peak_memory(command: Sequence[str], project: Path) -> float:
    """Run a command; return its peak resident memory in MiB, as counted by the kernel."""
    with subprocess.Popen(command, cwd=project, env=make_environment(), stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    # Linux counts in kilobytes, macOS in bytes.
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main(sys.argv[1:])
