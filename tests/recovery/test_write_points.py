"""Ingest that dies as it writes, and a disk that is full: nothing half-written looks finished, what was there stays."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from support.forks import FORKS, die_at

from components import ingest
from pixelwise.data.prepared import PreparedData
from pixelwise.data.town import TownParams
from pixelwise.identity import sha256_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
PROJECT = Path(__file__).resolve().parents[2]
SIZE = {"train_clips": 2, "val_clips": 1, "test_clips": 1, "frames": 2, "width": 64, "height": 64}


def ingest_and_die(out: Path, write: str, count: int) -> None:
    """Prepare the town in this process, which dies at the `count`th `write`."""
    die_at(write, count)
    ingest.run(ingest.IngestParams(dataset="town", town=TownParams(**SIZE)), out)


def prepare(out):
    ingest.run(ingest.IngestParams(dataset="town", town=TownParams(**SIZE)), out)
    return hashes(out)


def hashes(folder):
    return {path.relative_to(folder): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The hashes of data that was prepared in peace."""
    return prepare(tmp_path_factory.mktemp("whole") / "prepared")


@pytest.mark.parametrize(("write", "count"), [("fsync", 1), ("fsync", 2), ("replace", 2), ("replace", 3)])
def test_an_ingest_that_dies_as_it_writes_leaves_no_data_and_a_rerun_completes(tmp_path, whole, write, count):
    process = FORKS.Process(target=ingest_and_die, args=(tmp_path / "prepared", write, count))
    process.start()
    process.join()
    assert process.exitcode == 9
    assert not (tmp_path / "prepared").exists()
    assert prepare(tmp_path / "prepared") == whole


def limited():
    """No file of this process may grow over 20 kB; more is an error, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_an_ingest_on_a_full_disk_ends_in_one_line_and_the_last_data_stays(tmp_path):
    before = prepare(tmp_path / "prepared")
    (tmp_path / "params.yaml").write_text(f"ingest: {{dataset: town, town: {SIZE | {'frames': 4}}}}\n")
    command = [sys.executable, "-m", "pixelwise.cli", "ingest", "--out", "prepared"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, preexec_fn=limited, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert hashes(tmp_path / "prepared") == before
    assert len(PreparedData(tmp_path / "prepared").split("train")) == 4
