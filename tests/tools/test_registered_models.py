"""A model of every kind by its name in the registry: predict, guide, the studio's page and the server take it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.clockwork_model import encode, moving
from support.family_models import copy_plain_net
from support.http_server import encoded, opened, serving

from pixelwise.families import find_options
from pixelwise.families.clockwork.verbs import profile_stages
from pixelwise.families.guided.runtime.model import open_guided
from pixelwise.families.guided.verbs import guide, studio
from pixelwise.inference.exported_models import identify
from pixelwise.inference.session import open_model
from pixelwise.registry.registration import add_version, hash_model_files
from pixelwise.registry.versions import FILES_TAG, ONNX_TAG, move_alias
from pixelwise.serving.limits import ServeParams
from pixelwise.tools import predict
from pixelwise.tools.serve import open_service
from pixelwise.tracking.store import connect

FRAMES = moving(3, size=(48, 64))


@pytest.fixture
def champion(mlflow_store, tmp_path, monkeypatch):
    """Register an exported model of a family, and return its reference."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_store)
    # The store keeps files beside the working directory.
    monkeypatch.chdir(tmp_path)
    client = connect(mlflow_store)

    def register(name, model):
        tags = {ONNX_TAG: identify(model), FILES_TAG: json.dumps(hash_model_files(model))}
        version = add_version(client, name, model, run_id=None, experiment=name, tags=tags)
        move_alias(client, name, "champion", version)
        return f"models:/{name}@champion"

    return register


def params_of(family, **values):
    return find_options(family).PredictParams(provider="cpu", **values)


def serve(reference):
    return serving(open_service(ServeParams(device="cpu"), reference, None))


@pytest.mark.parametrize("family", ["fcn", "composition"])
@pytest.mark.covers("serve", "fcn", "composition")
@pytest.mark.covers("predict", "fcn", "composition")
def test_a_model_of_one_graph_is_served_and_predicts_by_its_name_in_the_registry(
    family, champion, clockwork_model, tmp_path
):
    model = copy_plain_net(clockwork_model, tmp_path / "model", family)
    reference = champion(family, model)
    Image.fromarray(FRAMES[0]).save(tmp_path / "street.png")
    predict.run(params_of(family), [tmp_path / "street.png"], Path(reference), tmp_path / "out")
    expected = open_model(model, "cpu").predict(FRAMES[0][None])[0]
    assert len(np.unique(expected)) > 1
    assert (np.array(Image.open(tmp_path / "out/street.label.png")) == expected).all()
    with serve(reference) as client:
        assert client.get("/health").json()["follows"] == reference
        answer = client.post("/predict", content=encoded(FRAMES[0]))
    assert answer.headers["X-Pixelwise-Version"] == "1"
    assert answer.headers["X-Pixelwise-SHA256"] == identify(model)
    assert (np.array(opened(answer)) == expected).all()


@pytest.mark.covers("serve", "clockwork")
@pytest.mark.covers("predict", "clockwork")
def test_a_clockwork_is_served_and_predicts_by_its_name_in_the_registry(champion, clockwork_model, tmp_path):
    reference = champion("clockwork", clockwork_model)
    encode(tmp_path / "clip.mp4", FRAMES)
    found = predict.run(
        params_of("clockwork", schedule="carry:2"), [tmp_path / "clip.mp4"], Path(reference), tmp_path / "out"
    )
    assert "carry:2" in found.summary
    assert len(list((tmp_path / "out/clip.label").iterdir())) == 3
    profiled = profile_stages.run(
        profile_stages.StagesParams(provider="cpu", width=64, height=48, rounds=1), Path(reference)
    )
    assert len(profiled.times.stages) == 3
    with serve(reference) as client:
        assert client.get("/health").json()["follows"] == reference
        session = client.post("/sessions").json()
        assert session["model"]["version"] == "1"
        answer = client.post(f"/sessions/{session['session']}/frames", content=encoded(FRAMES[0]))
    assert answer.headers["X-Pixelwise-SHA256"] == identify(clockwork_model)
    assert (np.array(opened(answer)) == open_model(clockwork_model, "cpu").predict(FRAMES[0][None])[0]).all()


@pytest.mark.covers("serve", "guided")
@pytest.mark.covers("predict", "guided")
def test_a_guided_model_guides_predicts_and_is_served_by_its_name_in_the_registry(
    champion, guided_folder, tmp_path, monkeypatch
):
    reference = Path(champion("guided", guided_folder))
    Image.fromarray(FRAMES[0]).save(tmp_path / "disc.png")
    (tmp_path / "clicks.json").write_text(json.dumps({"disc.png": [[30, 20, "disc"]]}))
    pictures, file = [tmp_path / "disc.png"], tmp_path / "disc.guidance"
    made = guide.run(guide.GuideParams(provider="cpu"), pictures, reference, file, clicks=tmp_path / "clicks.json")
    assert f"--model {reference} " in str(made)
    predict.run(params_of("guided", guidance=file), pictures, reference, tmp_path / "out")
    expected = open_guided(guided_folder, file, "cpu").segment(FRAMES[0])
    assert (np.array(Image.open(tmp_path / "out/disc.label.png")) == expected).all()
    shown = []
    monkeypatch.setattr("pixelwise.families.guided.studio.server.serve", lambda *given: shown.append(given))
    studio.run(studio.StudioParams(provider="cpu"), reference)
    assert shown[0][0].session.model.fingerprint == open_guided(guided_folder, file, "cpu").model.fingerprint
    with serve(str(reference)) as client:
        sent = [("image", ("disc.png", encoded(FRAMES[0]))), ("guidance", ("disc", file.read_bytes()))]
        answer = client.post("/predict", files=sent)
    assert answer.headers["X-Pixelwise-Version"] == "1"
    assert answer.headers["X-Pixelwise-SHA256"] == identify(guided_folder)
    assert (np.array(opened(answer)) == expected).all()
