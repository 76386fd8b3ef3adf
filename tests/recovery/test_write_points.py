"""Ingest that dies as it writes, and a disk that is full: nothing half-written looks finished, what was there stays."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from components import ingest
from pixelwise.data.prepared import PreparedData
from pixelwise.data.town import TownParams
from pixelwise.identity import sha256_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
PROJECT = Path(__file__).resolve().parents[2]
SIZE = {"train_clips": 2, "val_clips": 1, "test_clips": 1, "frames": 2, "width": 64, "height": 64}
DYING = f"""
import os, shutil, sys
from pathlib import Path
from components import ingest
from pixelwise.data.town import TownParams

def dies(*_):
    os._exit(9)

owner, name = {{"fsync": (os, "fsync"), "replace": (Path, "replace"), "rmtree": (shutil, "rmtree")}}[sys.argv[1]]
act, calls = getattr(owner, name), []

def counted(*args, **options):
    calls.append(args)
    return dies() if len(calls) == int(sys.argv[3]) else act(*args, **options)

setattr(owner, name, counted)
ingest.run(ingest.IngestParams(dataset="town", town=TownParams(**{SIZE})), Path(sys.argv[2]))
"""


def python(code, *argv, **options):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, argv)],
        env=environment, capture_output=True, text=True, check=False, **options,
    )  # fmt: skip


def prepare(out):
    ingest.run(ingest.IngestParams(dataset="town", town=TownParams(**SIZE)), out)
    return hashes(out)


def hashes(folder):
    return {path.relative_to(folder): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(("write", "count"), [("fsync", 1), ("fsync", 2), ("replace", 2), ("replace", 3)])
def test_an_ingest_that_dies_as_it_writes_leaves_no_data_and_a_rerun_completes(tmp_path, write, count):
    assert python(DYING, write, tmp_path / "prepared", count).returncode == 9
    assert not (tmp_path / "prepared").exists()
    assert prepare(tmp_path / "prepared") == prepare(tmp_path / "whole")


def limited():
    """No file of this process may grow over 20 kB; more is an error, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_an_ingest_on_a_full_disk_ends_in_one_line_and_the_last_data_stays(tmp_path):
    before = prepare(tmp_path / "prepared")
    (tmp_path / "params.yaml").write_text(f"ingest: {{dataset: town, town: {SIZE | {'frames': 9}}}}\n")
    done = python(
        "import sys; from pixelwise.cli import main; main()", "ingest", "--out", "prepared",
        cwd=tmp_path, preexec_fn=limited,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert hashes(tmp_path / "prepared") == before
    assert len(PreparedData(tmp_path / "prepared").split("train")) == 4
