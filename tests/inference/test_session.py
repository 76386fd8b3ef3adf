"""Opening an exported model: on what was asked for, or an error of one line."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from support.channel_model import NAMES, PALETTE, channel_picture, write_channel_model

from pixelwise.errors import ModelError, ProviderError
from pixelwise.inference.session import open_model

NO_CUDA = "on a machine without CUDA"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_channel_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def without_cuda():
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip(f"promises what happens {NO_CUDA}, and this one has it")


def one_line(raised) -> str:
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_it_labels_pictures_of_any_size_and_number(model):
    segmenter = open_model(model)
    for seed, size in enumerate([(16, 24), (33, 17), (1, 1)]):
        image, label = channel_picture(seed, size)
        prediction = segmenter.predict(np.stack([image, image[::-1]]))
        assert prediction.dtype == np.uint8
        assert np.array_equal(prediction, np.stack([label, label[::-1]]))


def test_a_model_says_its_classes_its_colours_and_where_it_runs(model):
    segmenter = open_model(model, "cpu")
    assert segmenter.names == NAMES
    assert segmenter.palette == PALETTE
    assert segmenter.provider == "CPUExecutionProvider"
    assert segmenter.metadata["family"] == "fcn"


def test_labels_are_the_same_with_confidence_and_an_older_model_says_what_to_do(model, tmp_path):
    image, label = channel_picture(0, (16, 24))
    confident = open_model(write_channel_model(tmp_path, confidence=True))
    assert (confident.inputs, confident.outputs) == (("image",), ("prediction",))
    assert np.array_equal(confident.predict(image[None]), label[None])
    found, confidence = confident.predict_with_confidence(image[None])
    assert np.array_equal(found, label[None])
    assert np.array_equal(confidence, np.full((1, 16, 24), np.float32(200) / 255, np.float32))
    with pytest.raises(ModelError, match=r"gives no confidence, .*; train and export it again") as raised:
        open_model(model).predict_with_confidence(image[None])
    one_line(raised)


def test_a_folder_and_its_file_open_the_same_model(model):
    assert open_model(model).metadata == open_model(model / "onnx/model.onnx").metadata


def test_threads_change_no_prediction(model):
    image = channel_picture(0, (20, 20))[0][None]
    assert np.array_equal(open_model(model, threads=1).predict(image), open_model(model, threads=2).predict(image))


def test_auto_says_cpu_without_cuda(model, without_cuda):
    assert open_model(model, "auto").provider == "CPUExecutionProvider"


def test_cuda_asked_for_is_cuda_or_an_error(model, without_cuda):
    with pytest.raises(ProviderError, match="provider cuda") as raised:
        open_model(model, "cuda")
    one_line(raised)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((1, 3, 8, 8), np.uint8),
        np.zeros((1, 8, 8, 4), np.uint8),
        np.zeros((1, 8, 8, 3), np.int64),
    ],
    ids=lambda images: f"{images.dtype} {images.shape}",
)
def test_what_is_no_picture_is_refused_and_what_was_found_is_named(model, images):
    with pytest.raises(ModelError, match=r"expected uint8 \(N, H, W, 3\)") as raised:
        open_model(model).predict(images)
    assert str(images.dtype) in one_line(raised)
    assert str(images.shape) in one_line(raised)


@pytest.mark.parametrize("content", [b"", b"no graph", bytes(1000)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path, content):
    file = tmp_path / "model.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx") as raised:
        open_model(tmp_path / "model.onnx")
    one_line(raised)


def test_a_truncated_graph_is_refused(model, tmp_path):
    (tmp_path / "model.onnx").write_bytes((model / "onnx/model.onnx").read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"model\.onnx") as raised:
        open_model(tmp_path / "model.onnx")
    one_line(raised)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [({}, "classes"), ({"classes": '["a"]'}, "palette"), ({"classes": "a, b", "palette": "[]"}, "metadata")],
    ids=["none", "no palette", "not JSON"],
)
def test_a_graph_that_is_not_ours_is_refused(model, tmp_path, metadata, words):
    graph = onnx.load(model / "onnx/model.onnx")
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, metadata)
    onnx.save(graph, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=words) as raised:
        open_model(tmp_path / "model.onnx")
    assert "pixelwise export" in one_line(raised)


@pytest.mark.parametrize("name", ["missing", "missing.onnx"])
def test_a_missing_model_is_named(tmp_path, name):
    with pytest.raises(ModelError, match=name) as raised:
        open_model(tmp_path / name)
    assert "no such file" in one_line(raised)


def test_a_folder_without_a_graph_names_the_file_it_lacks(tmp_path):
    with pytest.raises(ModelError, match=r"model\.onnx: no such file"):
        open_model(tmp_path)


def test_the_runtime_imports_no_torch():
    code = "import sys, pixelwise.inference.session; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
