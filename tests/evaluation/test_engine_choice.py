"""`auto` of predict and serve: the fastest engine that was measured here and labels alike, else ONNX Runtime."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from support.channel_model import write_channel_model
from support.fcn_model import one_line

from pixelwise.errors import DataError
from pixelwise.evaluation import engine_choice
from pixelwise.evaluation.engine_choice import Measured, choose_provider, compare_providers, find_fastest, save_engines
from pixelwise.families.options import PredictParams
from pixelwise.model_folder import ModelFolder
from pixelwise.serving.models import open_file
from pixelwise.timing import Engine
from pixelwise.tools import predict

pytest.importorskip("openvino")
FASTER = {"cpu": Measured(40.0, 1.0), "openvino": Measured(20.0, 0.995)}


@pytest.fixture
def measured(tmp_path):
    """A model for which OpenVINO was measured to be faster, on this processor."""
    model = write_channel_model(tmp_path / "channels")
    save_engines(ModelFolder(model).engines, model, FASTER, 0.99)
    return model


def edit(model, **changes):
    """Change entries of the model's engines.json."""
    file = ModelFolder(model).engines
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_the_fastest_engine_that_labels_enough_pixels_alike_is_found():
    assert find_fastest(FASTER, 0.99) == "openvino"
    assert find_fastest(FASTER, 0.995) == "openvino"
    assert find_fastest(FASTER, 0.996) == "cpu"
    assert find_fastest(FASTER | {"openvino": Measured(50.0, 1.0)}, 0.99) == "cpu"


def test_auto_takes_the_fastest_engine_and_says_which_and_why(measured, capsys):
    assert choose_provider(measured, "auto") == "openvino"
    assert capsys.readouterr().err == (
        "provider auto: openvino; measured cpu 40.0 ms a picture, 100.00% equal pixels, "
        "openvino 20.0 ms a picture, 99.50% equal pixels; needs 99.00%\n"
    )


def test_what_is_asked_for_is_not_chosen_anew(measured, capsys):
    assert choose_provider(measured, "cpu") == "cpu"
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"min_equal_pixels": 0.999}, "needs 99.90%"),
        ({"processor": "Abacus"}, "measured on Abacus"),
        ({"model_sha256": "0" * 64}, "measured on other graphs"),
    ],
)
def test_auto_stays_on_onnx_runtime_where_the_measurement_does_not_hold(measured, capsys, changes, reason):
    edit(measured, **changes)
    assert choose_provider(measured, "auto") == "auto"
    said = capsys.readouterr().err
    assert said.startswith("provider auto: ONNX Runtime")
    assert reason in said
    assert said.count("\n") == 1


def test_auto_stays_on_onnx_runtime_without_a_measurement_or_without_openvino_or_with_cuda(
    measured, capsys, monkeypatch
):
    with monkeypatch.context() as machine:
        machine.setattr(engine_choice, "has_cuda", lambda model: True)
        assert choose_provider(measured, "auto") == "auto"
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert choose_provider(measured, "auto") == "auto"
    ModelFolder(measured).engines.unlink()
    assert choose_provider(measured, "auto") == "auto"
    cuda, missing, unknown = capsys.readouterr().err.splitlines()
    assert (cuda, "pixelwise[openvino]" in missing) == ("provider auto: ONNX Runtime, since it has CUDA", True)
    assert "pixelwise benchmark --engines" in unknown


def test_a_damaged_measurement_is_an_error_of_one_line(measured):
    edit(measured, engines={"cpu": {"milliseconds": "slow", "equal_pixels": 1.0}})
    assert "engines.json: engines: cpu: milliseconds" in one_line(lambda: choose_provider(measured, "auto"), DataError)


def test_predict_and_serve_run_on_the_chosen_engine(measured, tmp_path):
    picture = tmp_path / "picture.png"
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(picture)
    report = predict.run(PredictParams(), [picture], measured, tmp_path / "out")
    assert report.provider.startswith("OpenVINO")
    assert open_file(measured, "auto").model.provider.startswith("OpenVINO")
    assert open_file(measured, "cpu").model.provider == "CPUExecutionProvider"


def test_a_provider_has_the_time_of_its_first_engine_and_the_fewest_equal_pixels_of_all():
    engines = {
        "plain": Engine(print, "plain", 1, 1.0, "cpu"),
        "stage": Engine(print, "plain", 1, None, "cpu"),
        "other plain": Engine(print, "plain", 1, 0.999, "openvino"),
        "other schedule": Engine(print, "plain", 4, 0.98, "openvino"),
        "torch": Engine(print, "plain", 1, 0.9),
    }
    times = {name: [10.0 + place] for place, name in enumerate(engines)}
    assert compare_providers(engines, times) == {"cpu": Measured(10.0, 1.0), "openvino": Measured(12.0, 0.98)}
