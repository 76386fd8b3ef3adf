import hashlib
import shutil
from pathlib import Path

import pytest
from support.bright_model import write_model

from components import ingest, register
from pixelwise.data.town import TownParams
from pixelwise.errors import DataError
from pixelwise.registry.references import resolve_model
from pixelwise.tools import verify


@pytest.fixture(scope="module")
def template(tmp_path_factory, mlflow_template):
    """A folder with prepared data, a cache of three objects and a registry of one version."""
    folder = tmp_path_factory.mktemp("kept")
    town = TownParams(train_clips=1, val_clips=1, test_clips=1, frames=2, width=64, height=64)
    ingest.run(ingest.IngestParams(dataset="town", town=town), folder / "data/prepared")
    for content, suffix in ((b"a picture", ""), (b"a model", ""), (b'[{"md5": ""}]', ".dir")):
        name = hashlib.md5(content).hexdigest()
        path = folder / f".dvc/cache/files/md5/{name[:2]}/{name[2:]}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shutil.copy(mlflow_template, folder / "mlflow.db")
    return folder


@pytest.fixture
def kept(template, tmp_path, monkeypatch):
    """A copy of it, in which we stand, with a model registered."""
    folder = shutil.copytree(template, tmp_path / "kept")
    monkeypatch.chdir(folder)
    # MLflow keeps a store open by its address, so that each needs one of its own.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    register.run("fcn", **write_model(folder / "made", threshold=1), tracking=None)
    return folder


def flip(file: Path, at: int) -> None:
    """Flip a bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)


def test_what_is_as_it_was_is_counted(kept):
    assert verify.run() == verify.Verified(images=6, files=3, versions=1)


def test_a_flipped_bit_is_named_wherever_it_is(kept):
    shard = next((kept / "data/prepared/shards").iterdir())
    cached = next((kept / ".dvc/cache").rglob("*.dir"))
    graph = resolve_model("models:/fcn/1") / "onnx/model.onnx"
    flip(shard, 200)
    flip(cached, 3)
    flip(graph, 40)
    with pytest.raises(DataError) as found:
        verify.run()
    for name in (shard.name, cached.name, "models:/fcn/1"):
        assert name in str(found.value)
    assert "\n" not in str(found.value)


def test_prepared_data_of_another_manifest_is_named(kept):
    flip(kept / "data/prepared/manifest.parquet", 100)
    with pytest.raises(DataError, match=r"manifest.parquet: sha256 .*, expected"):
        verify.run()


def test_what_there_is_none_of_yet_is_passed_over(kept, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    shutil.rmtree(kept / ".dvc")
    (kept / "mlflow.db").unlink()
    assert verify.run() == verify.Verified(images=6, files=0, versions=0)


def test_a_cache_on_another_disk_is_found_where_dvc_has_it(kept):
    (kept / ".dvc/cache").rename(kept / "disk")
    (kept / ".dvc/config.local").write_text(f"[cache]\n    dir = {kept / 'disk'}\n")
    assert verify.run().files == 3
    flip(next((kept / "disk").rglob("*.dir")), 3)
    with pytest.raises(DataError, match=rf"{kept / 'disk'}.*: found md5 "):
        verify.run()


def test_what_was_made_and_is_not_there_is_a_fault(kept, monkeypatch):
    (kept / "dvc.lock").write_text("stages: {ingest: {outs: [\n{\npath: data/prepared\n}]}}\n")
    (kept / "promotions.jsonl").write_text("{}\n")
    assert verify.run().files == 3
    for folder in ("data/prepared", ".dvc/cache"):
        shutil.rmtree(kept / folder)
    (kept / "mlflow.db").unlink()
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(DataError) as found:
        verify.run()
    for place, maker in (("data/prepared", "dvc.lock"), ("cache", "dvc.lock"), ("mlflow.db", "promotions.jsonl")):
        assert f"{place}: found nothing to compare, expected what {maker} names" in str(found.value)
