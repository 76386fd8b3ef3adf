"""OpenVINO as the engine: it gives what ONNX Runtime gives, or an error of one line."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from support.channel_model import write_channel_model
from support.clockwork_model import moving, picture

from pixelwise.errors import ModelError, ProviderError
from pixelwise.families.clockwork.runtime.clockwork_engine import open_staged
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.families.guided.runtime.guidance import merge
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.inference import openvino_session
from pixelwise.inference.session import open_model, open_session
from pixelwise.model_folder import ModelFolder

pytest.importorskip("openvino")
SIZES = [(96, 128), (33, 57), (120, 161)]
# The scores of these nets are drawn so that classes nearly tie; labels of a trained net change at fewer pixels.
ALIKE = {"f32": 0.9999, "bf16": 0.98}


@pytest.fixture(params=ALIKE)
def precision(request, monkeypatch):
    """The precision in which OpenVINO computes; any processor can compute in both."""
    monkeypatch.setattr(openvino_session, "choose_precision", lambda core: request.param)
    return request.param


@pytest.fixture
def channels(tmp_path):
    return write_channel_model(tmp_path / "channels", confidence=True)


def share_alike(found, expected):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    return np.mean(found == expected)


def one_line(raised) -> str:
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_model_has_the_inputs_outputs_and_metadata_that_it_has_on_onnxruntime(clockwork_model, precision):
    plain, fast = (open_model(clockwork_model, provider) for provider in ("cpu", "openvino"))
    assert fast.provider == f"OpenVINO {precision}"
    for field in ("inputs", "outputs", "layers", "gives_confidence", "names", "palette", "metadata"):
        assert getattr(fast, field) == getattr(plain, field)


def test_every_graph_has_the_ports_that_it_has_on_onnxruntime(clockwork_model, guided_folder):
    for graph in (*ModelFolder(clockwork_model).graphs(), *ModelFolder(guided_folder).graphs()):
        plain, fast = (open_session(graph, provider) for provider in ("cpu", "openvino"))
        assert [output.name for output in fast.get_outputs()] == [output.name for output in plain.get_outputs()]
        expected = [
            (given.name, [side if isinstance(side, int) else None for side in given.shape])
            for given in plain.get_inputs()
        ]
        assert [(given.name, list(given.shape)) for given in fast.get_inputs()] == expected


def test_pictures_of_any_size_and_number_get_the_labels_and_confidence_of_onnxruntime(clockwork_model, precision):
    plain, fast = (open_model(clockwork_model, provider) for provider in ("cpu", "openvino"))
    for size in SIZES:
        images = np.stack([picture(seed, size) for seed in range(2)])
        labels, confidence = fast.predict_with_confidence(images)
        expected, expected_confidence = plain.predict_with_confidence(images)
        assert share_alike(labels, expected) >= ALIKE[precision]
        assert np.abs(confidence - expected_confidence).max() < (1e-4 if precision == "f32" else 0.05)
        assert np.array_equal(fast.predict(images), labels)


def test_large_pictures_are_labelled_in_tiles(clockwork_model, precision):
    plain, fast = (open_model(clockwork_model, provider, tile=128) for provider in ("cpu", "openvino"))
    image = picture(9, (150, 300))[None]
    assert share_alike(fast.predict(image), plain.predict(image)) >= ALIKE[precision]


@pytest.mark.parametrize("words", ["oracle", "motion:0.3", "learned:0.01", "pipeline:3", "truncated:1"])
def test_a_schedule_runs_the_stages(words, clockwork_model, precision):
    plain, fast = (open_engine(open_staged(clockwork_model, provider), words) for provider in ("cpu", "openvino"))
    for frame in moving(4):
        expected, found = plain.step(frame), fast.step(frame)
        assert found.fired == expected.fired
        assert share_alike(found.prediction, expected.prediction) >= ALIKE[precision]


def test_a_guided_model_is_guided(guided_folder, precision):
    image, annotation = picture(1), np.zeros((2, 96, 128), np.float32)
    annotation[0, :, :40], annotation[1, :, 80:] = 1, 1
    found = []
    for provider in ("cpu", "openvino"):
        model = GuidedModel(guided_folder, provider)
        features = model.encode(image)
        found.append(model.segment(features, merge([model.guide(features, annotation)])))
    # Labels would say little: after an epoch, the two classes nearly tie everywhere.
    assert np.abs(found[0] - found[1]).max() < (1e-3 if precision == "f32" else 0.05)


def test_threads_are_heeded_and_change_no_label(clockwork_model):
    one, two = (open_model(clockwork_model, "openvino", threads) for threads in (1, 2))
    for segmenter, threads in ((one, 1), (two, 2)):
        assert segmenter.session.plain.get_property("INFERENCE_NUM_THREADS") == threads
    image = picture(0)[None]
    assert np.array_equal(one.predict(image), two.predict(image))


@pytest.mark.parametrize("keeps_memory", [True, False])
def test_several_threads_may_label_at_once(clockwork_model, keeps_memory):
    segmenter = open_model(clockwork_model, "openvino", keeps_memory=keeps_memory)
    pictures = [picture(seed, (96 + 8 * seed, 128))[None] for seed in range(4)]
    alone = [segmenter.predict(images) for images in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(segmenter.predict, pictures * 20))
    assert all(np.array_equal(labels, expected) for labels, expected in zip(found, alone * 20, strict=True))


def test_a_failing_run_names_the_engine_and_the_input_in_one_line(channels):
    with pytest.raises(ModelError, match=r"^OpenVINO \w+ failed on image 1×8×8×4: ") as raised:
        open_model(channels, "openvino").run({"image": np.zeros((1, 8, 8, 4), np.uint8)})
    one_line(raised)


def test_a_file_that_is_no_graph_is_refused_by_name(channels, tmp_path):
    (tmp_path / "model.onnx").write_bytes((channels / "onnx/model.onnx").read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"model\.onnx") as raised:
        open_model(tmp_path / "model.onnx", "openvino")
    one_line(raised)


def test_an_operator_that_openvino_lacks_is_named(channels):
    file = channels / "onnx/model.onnx"
    graph = onnx.load(file)
    graph.graph.node.append(onnx.helper.make_node("Unheard", ["channels"], ["unheard"]))
    graph.graph.output.append(onnx.helper.make_tensor_value_info("unheard", onnx.TensorProto.FLOAT, None))
    onnx.save(graph, file)
    with pytest.raises(ModelError, match=r"model\.onnx: not a graph that OpenVINO can load \(….*Unheard") as raised:
        open_model(channels, "openvino")
    one_line(raised)


def test_without_openvino_the_error_says_what_to_install(channels, monkeypatch):
    openvino_session.open_core.cache_clear()
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        ProviderError, match=r"^provider openvino: .* not installed, .* pixelwise\[openvino\]$"
    ) as raised:
        open_model(channels, "openvino")
    one_line(raised)
    assert open_model(channels, "auto").provider != "OpenVINO bf16"


def test_opening_a_model_reports_nothing_to_anyone(channels):
    code = (
        "import socket, sys\n"
        "from pathlib import Path\n"
        "def refuse(*_): print('asked for a host'); raise OSError\n"
        "socket.getaddrinfo = refuse\n"
        "from pixelwise.inference.session import open_model\n"
        "assert 'openvino' not in sys.modules\n"
        f"open_model(Path({str(channels)!r}), 'openvino')\n"
        "import time; time.sleep(0.5)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
