import json
import shutil
from pathlib import Path

import pytest
from support.bright_model import write, write_evaluation, write_model, write_onnx
from support.channel_model import write_channel_data, write_channel_model

from components import evaluate, register
from pixelwise.errors import DataError, ModelError, RegistryError
from pixelwise.families.options import EvaluateParams, PredictParams
from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import identify
from pixelwise.registry import references
from pixelwise.registry.references import resolve_model, resolve_model_folder
from pixelwise.registry.registration import list_model_files, load_evidence
from pixelwise.tools import predict
from pixelwise.tracking.store import connect


@pytest.fixture
def registered(tmp_path, mlflow_store):
    """The files of version 1 of fcn, int8 and checkpoint among them."""
    files = write_model(tmp_path / "made")
    write_onnx(files["model"] / "int8/onnx/model.onnx", threshold=101)
    (files["model"] / "checkpoint" / "weights.safetensors").write_bytes(b"weights")
    (files["model"] / ".gitignore").write_text("/model.onnx")
    register.run("fcn", **files, tracking=mlflow_store)
    return files["model"]


def hashes(folder, names):
    return {name: sha256_file(folder / name) for name in names}


@pytest.mark.parametrize("reference", ["models:/fcn@challenger", "models:/fcn/1"])
def test_a_reference_gives_the_very_files_that_were_registered(registered, mlflow_store, reference):
    names = list_model_files(registered)
    assert {"onnx/model.onnx", "int8/onnx/model.onnx", "checkpoint/weights.safetensors", "export.json"} < set(names)
    folder = resolve_model(reference, mlflow_store)
    assert hashes(folder, names) == hashes(registered, names)
    assert not (folder / ".gitignore").exists()
    assert resolve_model_folder(Path(reference), mlflow_store) == folder


def test_a_store_whose_folder_has_a_percent_sign_gives_its_files_in_place(tmp_path, mlflow_template):
    folder = tmp_path / "50%20 off"
    folder.mkdir()
    shutil.copy(mlflow_template, folder / "mlflow.db")
    store = f"sqlite:///{folder}/mlflow.db?timeout=30"
    register.run("fcn", **write_model(tmp_path / "made"), tracking=store)
    found = resolve_model("models:/fcn@challenger", store)
    assert found.is_relative_to(folder / "mlartifacts")
    assert hashes(found, ["onnx/model.onnx"]) == hashes(tmp_path / "made/model", ["onnx/model.onnx"])


def test_a_folder_is_left_as_it_is(tmp_path):
    assert resolve_model_folder(tmp_path, "sqlite:///nowhere.db") == tmp_path


def test_a_model_of_a_store_elsewhere_is_fetched_once_and_whole(registered, mlflow_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # What a server's artifacts look like from here: nowhere on this machine.
    monkeypatch.setattr(references, "find_local_folder", lambda location: None)
    folder = resolve_model("models:/fcn/1", mlflow_store)
    assert folder.parent == Path(".state/models")
    assert hashes(folder, list_model_files(registered)) == hashes(registered, list_model_files(registered))
    marked = (folder / "MLmodel").stat().st_mtime_ns
    assert resolve_model("models:/fcn/1", mlflow_store) == folder
    assert (folder / "MLmodel").stat().st_mtime_ns == marked
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["onnx/model.onnx", "int8/onnx/model.onnx", "checkpoint/weights.safetensors"])
def test_a_flipped_bit_is_refused_with_the_hash_found_and_the_hash_expected(registered, mlflow_store, name):
    file = resolve_model("models:/fcn/1", mlflow_store) / name
    expected, content = sha256_file(file), bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match=rf"^models:/fcn/1: .*{name}: found sha256 ") as refused:
        resolve_model("models:/fcn/1", mlflow_store)
    assert f"found sha256 {sha256_file(file)}, expected {expected} as registered" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_graph_that_nobody_registered_are_refused(registered, mlflow_store):
    folder = resolve_model("models:/fcn/1", mlflow_store)
    shutil.copy(folder / "onnx/model.onnx", folder / "onnx/stage1.onnx")
    with pytest.raises(ModelError, match=r"stage1\.onnx: found an unregistered graph"):
        resolve_model("models:/fcn/1", mlflow_store)
    (folder / "export.json").unlink()
    with pytest.raises(ModelError, match=r"export\.json: no such file, expected sha256"):
        resolve_model("models:/fcn/1", mlflow_store)


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("models:/fcn", "expected models:/NAME@ALIAS or models:/NAME/VERSION"),
        ("models:/fcn@champion", "no such version in sqlite:.*, which has fcn@challenger = version 1"),
        ("models:/fcn/7", "no such version in sqlite:.*, which has fcn@challenger = version 1"),
        ("models:/guided/1", "no such version in sqlite:.*, which has no guided"),
    ],
)
def test_a_reference_to_nothing_says_what_there_is(registered, mlflow_store, reference, words):
    with pytest.raises(RegistryError, match=f"^{reference}: {words}"):
        resolve_model(reference, mlflow_store)


def test_reading_makes_no_store(tmp_path):
    with pytest.raises(RegistryError, match="no such store"):
        resolve_model("models:/fcn/1", f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == []


def test_predict_and_evaluate_take_a_reference(tmp_path, mlflow_store, monkeypatch):
    files = write_model(tmp_path / "made")
    write_channel_model(files["model"], fingerprint="mark-100")
    metrics = files["evaluation"] / "metrics.json"
    write(metrics, json.loads(metrics.read_text()) | {"model_sha256": sha256_file(files["model"] / "onnx/model.onnx")})
    register.run("fcn", **files, tracking=mlflow_store)
    root = write_channel_data(tmp_path / "data", [(16, 24)])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    reference = Path("models:/fcn@challenger")
    predicted = predict.run(PredictParams(provider="cpu"), [root / "val" / "images"], reference, tmp_path / "out")
    assert f"next: pixelwise evaluate --model {reference} " in str(predicted)
    assert (tmp_path / "out" / "0.label.png").is_file()
    params = EvaluateParams(provider="cpu")
    found = evaluate.run(params, reference, dataset="folder", root=root)
    assert found.model_sha256 == sha256_file(files["model"] / "onnx/model.onnx")


def test_a_family_of_several_graphs_registers_and_comes_back_whole(tmp_path, mlflow_store):
    files = write_model(tmp_path)
    (files["model"] / "onnx/model.onnx").unlink()
    for threshold, name in enumerate(("encode", "guide", "segment")):
        write_onnx(files["model"] / f"onnx/{name}.onnx", threshold, "guided", "mark-100")
    write_evaluation(files["evaluation"], identify(files["model"]), 0.9)
    first = register.run("guided", **files, tracking=mlflow_store)
    assert (register.run("guided", **files, tracking=mlflow_store).version, first.is_new) == (first.version, True)
    folder = resolve_model("models:/guided@challenger", mlflow_store)
    assert hashes(folder, list_model_files(files["model"])) == hashes(files["model"], list_model_files(files["model"]))
    assert load_evidence(connect(mlflow_store), "guided", "1").main.extent == "12 images"
    # One graph of several is another model.
    write_onnx(files["model"] / "onnx/guide.onnx", 50, "guided", "mark-100")
    with pytest.raises(DataError, match="evaluate it again"):
        register.run("guided", **files, tracking=mlflow_store)
    write_evaluation(files["evaluation"], identify(files["model"]), 0.9)
    assert register.run("guided", **files, tracking=mlflow_store).version == "2"
