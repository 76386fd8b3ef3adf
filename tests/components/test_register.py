import hashlib
import shutil
from types import SimpleNamespace

import mlflow
import numpy as np
import pytest
from support.bright_model import write, write_model
from support.channel_model import channel_picture, write_channel_model

from components import register
from pixelwise.errors import DataError, PixelwiseError
from pixelwise.inference.session import open_session
from pixelwise.registry.registration import load_evidence, save_onnx_model
from pixelwise.registry.versions import read_aliases
from pixelwise.tracking.runs import start_run
from pixelwise.tracking.store import connect


@pytest.fixture
def trained(mlflow_store):
    with start_run("fcn", "train-fcn", {"epochs": 1}, {"fingerprint": "mark-100"}, mlflow_store) as recorder:
        recorder.log_metrics({"train/loss": 1.0}, 1)
    return recorder.run_id


def test_a_registered_model_is_the_very_file_exported_with_its_origin_and_evidence(
    tmp_path, mlflow_store, trained, monkeypatch
):
    files = write_model(tmp_path, run_id=trained)
    before = connect(mlflow_store).get_run(trained).info
    done = register.run("fcn", **files, tracking=mlflow_store)
    client = connect(mlflow_store)
    version = client.get_model_version("fcn", done.version)
    sha256 = hashlib.sha256((files["model"] / "onnx/model.onnx").read_bytes()).hexdigest()
    expected = {"fingerprint": "mark-100", "onnx_sha256": sha256, "data_sha256": "d1"}
    assert version.tags.items() >= expected.items()
    assert (version.run_id, done.is_new, read_aliases(client, "fcn")) == (trained, True, {"challenger": done.version})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    folder = mlflow.artifacts.download_artifacts("models:/fcn@challenger", dst_path=str(tmp_path / "got"))
    assert (tmp_path / "got" / "onnx/model.onnx").read_bytes() == (files["model"] / "onnx/model.onnx").read_bytes()
    picture = np.full((1, 5, 7, 3), 101, np.uint8)
    predicted = mlflow.pyfunc.load_model(folder).predict({"image": picture})
    (expected,) = open_session(files["model"] / "onnx/model.onnx", "cpu").run(["prediction"], {"image": picture})
    assert np.array_equal(predicted["prediction"], expected)
    requirements = (tmp_path / "got" / "requirements.txt").read_text().splitlines()
    assert len([line for line in requirements if line.startswith("onnxruntime")]) == 1
    loaded = mlflow.models.get_model_info(folder)
    assert loaded.signature.inputs.inputs[0].shape == (-1, -1, -1, 3)
    assert loaded.signature.outputs.inputs[0].type == np.dtype("uint8")
    assert load_evidence(client, "fcn", done.version).milliseconds == 12.0
    after = client.get_run(trained)
    assert (after.info.status, after.info.end_time) == ("FINISHED", before.end_time)
    assert [f"models:/{output.model_id}" for output in after.outputs.model_outputs] == [version.source]


def test_an_optional_input_of_the_graph_is_not_asked_for(tmp_path):
    graph = write_channel_model(tmp_path / "model", confidence=True) / "onnx/model.onnx"
    save_onnx_model(graph, tmp_path / "mlflow", None, SimpleNamespace(model_id=None))
    shutil.copy(graph, tmp_path / "mlflow/onnx")
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "mlflow"))
    assert loaded.metadata.signature.inputs.input_names() == ["image"]
    assert loaded.metadata.signature.outputs.input_names() == ["prediction", "confidence"]
    image, label = channel_picture(0, (5, 7))
    found = loaded.predict({"image": image[None]})
    assert np.array_equal(found["prediction"], label[None])
    assert found["confidence"].size == 0


def test_registering_twice_makes_one_version_and_renews_its_evidence(tmp_path, mlflow_store, trained):
    files = write_model(tmp_path, run_id=trained)
    first = register.run("fcn", **files, tracking=mlflow_store)
    write(files["benchmark"] / "benchmark.json", {"onnx_median_milliseconds": 15.0})
    second = register.run("fcn", **files, tracking=mlflow_store)
    assert (second.version, second.is_new) == (first.version, False)
    assert "was registered before" in str(second)
    client = connect(mlflow_store)
    assert len(client.search_model_versions("name = 'fcn'")) == 1
    assert load_evidence(client, "fcn", first.version).milliseconds == 15.0


def test_registering_the_champion_again_leaves_nothing_to_challenge_it(tmp_path, mlflow_store):
    champion = write_model(tmp_path / "a")
    register.run("fcn", **champion, tracking=mlflow_store)
    client = connect(mlflow_store)
    client.set_registered_model_alias("fcn", "champion", "1")
    register.run("fcn", **write_model(tmp_path / "b", threshold=50), tracking=mlflow_store)
    assert read_aliases(client, "fcn") == {"champion": "1", "challenger": "2"}
    again = register.run("fcn", **champion, tracking=mlflow_store)
    assert again.is_champion
    assert read_aliases(client, "fcn") == {"champion": "1"}


def test_a_model_whose_training_was_not_tracked_is_registered_without_a_run(tmp_path, mlflow_store, capsys):
    done = register.run("fcn", **write_model(tmp_path), tracking=mlflow_store)
    assert not connect(mlflow_store).get_model_version("fcn", done.version).run_id
    assert "the version is linked to no run" in capsys.readouterr().err


def test_further_graphs_are_kept_with_the_version(tmp_path, mlflow_store):
    files = write_model(tmp_path)
    (files["model"] / "int8/onnx").mkdir(parents=True)
    shutil.copy(files["model"] / "onnx/model.onnx", files["model"] / "int8/onnx/model.onnx")
    register.run("fcn", **files, tracking=mlflow_store)
    client = connect(mlflow_store)
    model_id = client.get_model_version("fcn", "1").source.removeprefix("models:/")
    assert [a.path for a in client.list_logged_model_artifacts(model_id, "int8")] == ["int8/onnx"]


def test_an_evaluation_of_another_graph_is_refused(tmp_path, mlflow_store):
    files = write_model(tmp_path / "a") | {"evaluation": write_model(tmp_path / "b", threshold=50)["evaluation"]}
    with pytest.raises(DataError, match=r"metrics\.json: found model_sha256 .* evaluate it again"):
        register.run("fcn", **files, tracking=mlflow_store)


@pytest.mark.parametrize("missing", ["model/export.json", "evaluate/measurements.npz", "model/onnx/model.onnx"])
def test_a_missing_file_is_named(tmp_path, mlflow_store, missing):
    files = write_model(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(PixelwiseError, match=f"{missing}: no such file"):
        register.run("fcn", **files, tracking=mlflow_store)
