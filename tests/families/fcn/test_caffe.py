"""Weights of published Caffe models, in files of their true format (protobuf, written here byte by byte)."""

from functools import partial

import numpy as np
import pytest
import torch

from pixelwise.errors import ModelError
from pixelwise.families.fcn.caffe import list_named_convolutions, load_caffemodel
from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.families.fcn.trunks import TRUNKS, build_alexnet, build_vgg16

CONVOLUTION, INNER_PRODUCT = 4, 14


@pytest.fixture(autouse=True)
def thin_nets(monkeypatch):
    """Nets with the layers of the published ones, few channels wide."""
    monkeypatch.setitem(TRUNKS, "thin", partial(build_vgg16, widths=(4, 4, 6, 6, 8), hidden=10))
    monkeypatch.setitem(TRUNKS, "thin alexnet", partial(build_alexnet, hidden=10))


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def blob(values: np.ndarray) -> bytes:
    """BlobProto{shape{dim}, data}."""
    shape = field(1, b"".join(varint(side) for side in values.shape))
    return field(7, shape) + field(5, values.astype("<f4").tobytes())


def old_blob(values: np.ndarray) -> bytes:
    """BlobProto{num, channels, height, width, data} of the time before shapes."""
    sides = (1,) * (4 - values.ndim) + values.shape
    return b"".join(field(i, side) for i, side in enumerate(sides, start=1)) + field(5, values.astype("<f4").tobytes())


def caffemodel(layers: dict[str, list[np.ndarray]]) -> bytes:
    """NetParameter{name, layer[]{name, type, blobs}}."""
    net = field(1, b"net")
    for name, blobs in layers.items():
        kind = b"InnerProduct" if blobs[0].ndim == 2 else b"Convolution"
        net += field(100, field(1, name.encode()) + field(2, kind) + b"".join(field(7, blob(b)) for b in blobs))
    return net


def old_caffemodel(layers: dict[str, list[np.ndarray]]) -> bytes:
    """NetParameter{name, layers[]{name, type, blobs}} of the first version, as the VGG nets were published."""
    net = field(1, b"net")
    for name, blobs in layers.items():
        kind = INNER_PRODUCT if blobs[0].ndim == 2 else CONVOLUTION
        net += field(2, field(4, name.encode()) + field(5, kind) + b"".join(field(6, old_blob(b)) for b in blobs))
    return net


def weights(net: ReferenceFCN, seed: int = 0) -> dict[str, list[np.ndarray]]:
    """Random weights and biases by the published names of the layers of `net`."""
    rng = np.random.default_rng(seed)
    return {
        name: [rng.normal(size=tuple(part.shape)).astype(np.float32) for part in (layer.weight, layer.bias)]
        for name, layer in list_named_convolutions(net).items()
    }


def assert_loaded(net: ReferenceFCN, layers: dict[str, list[np.ndarray]]) -> None:
    found = list_named_convolutions(net)
    for name, (weight, bias) in layers.items():
        np.testing.assert_array_equal(found[name].weight.detach().numpy(), weight.reshape(found[name].weight.shape))
        np.testing.assert_array_equal(found[name].bias.detach().numpy(), bias)


@pytest.mark.parametrize(("name", "strides"), [("thin", (32, 16, 8)), ("thin alexnet", (32,)), ("googlenet", (32,))])
def test_every_layer_of_a_published_net_is_copied(name, strides, tmp_path):
    net = ReferenceFCN(name, 3, strides)
    layers = weights(net)
    # Upsampling and what else the file has is the net's own affair.
    file = tmp_path / "net.caffemodel"
    file.write_bytes(caffemodel({**layers, "upscore": [np.ones((3, 1, 64, 64))], "fc8": [np.ones((5, 10))]}))
    load_caffemodel(net, file)
    assert_loaded(net, layers)


def test_layers_bear_the_published_names():
    with torch.device("meta"):
        vgg, caffenet, googlenet = (
            set(list_named_convolutions(ReferenceFCN(name, 21, strides)))
            for name, strides in (("vgg16", (32, 16, 8)), ("alexnet", (32,)), ("googlenet", (32,)))
        )
    assert {"conv1_1", "conv5_3", "fc6", "fc7", "score_fr", "score_pool4", "score_pool3"} < vgg
    assert caffenet == {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "score_fr"}
    assert {"conv1/7x7_s2", "conv2/3x3_reduce", "conv2/3x3", "inception_3a/5x5_reduce"} < googlenet
    assert {"inception_4e/1x1", "inception_5b/pool_proj"} < googlenet
    assert (len(vgg), len(googlenet)) == (18, 58)


@pytest.mark.parametrize("write", [caffemodel, old_caffemodel], ids=["layer", "layers of version 1"])
def test_a_classifiers_fully_connected_layers_become_convolutions(write, tmp_path):
    net = ReferenceFCN("thin", 3, (32, 16))
    layers = {name: blobs for name, blobs in weights(net).items() if not name.startswith("score")}
    flat = {name: [w.reshape(len(w), -1), b] if name in ("fc6", "fc7") else [w, b] for name, (w, b) in layers.items()}
    file = tmp_path / "VGG_ILSVRC.caffemodel"
    file.write_bytes(write(flat))
    load_caffemodel(net, file)
    assert_loaded(net, layers)
    assert not any(parameter.any() for parameter in net.score.parameters())


def test_what_does_not_fit_is_named_and_leaves_the_net_as_it_was(tmp_path):
    net = ReferenceFCN("thin", 3, (32,))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    file = tmp_path / "net.caffemodel"
    good = weights(net)

    def refused(layers: dict[str, list[np.ndarray]], message: str) -> None:
        file.write_bytes(caffemodel(layers))
        with pytest.raises(ModelError, match=message):
            load_caffemodel(net, file)

    other = [np.zeros((21, 10, 1, 1)), np.zeros(21)]
    refused(
        {**good, "score_fr": other}, r"net.caffemodel: score_fr: weight: found shape \(21, 10, 1, 1\), expected \(3,"
    )
    refused({**good, "fc7": [np.zeros((10, 10))]}, "fc7: bias is missing")
    refused({**good, "conv1_1": [good["conv1_1"][0].swapaxes(0, 1), good["conv1_1"][1]]}, r"conv1_1: .*\(3, 4, 3, 3\)")
    refused({name: blobs for name, blobs in good.items() if name != "conv4_2"}, "conv4_2: weight is missing")
    refused({"ip1": other}, "found no layer of this net")
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip archive", b"<html>404</html>", None], ids=str)
def test_a_file_that_is_no_caffemodel_is_refused(content, tmp_path):
    file = tmp_path / "net.caffemodel"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"net.caffemodel: .*expected a .caffemodel") as raised:
        load_caffemodel(ReferenceFCN("thin", 3, (32,)), file)
    assert "\n" not in str(raised.value)


def test_a_file_cut_short_is_refused(tmp_path):
    net = ReferenceFCN("thin", 3, (32,))
    file = tmp_path / "net.caffemodel"
    file.write_bytes(caffemodel(weights(net))[:-1000])
    with pytest.raises(ModelError, match=r"expected a \.caffemodel file"):
        load_caffemodel(net, file)
