"""The thesis's classifiers as feature extractors (thesis §2.2.1, §2.3.1)."""

import pytest
import torch
from test_dense import multiplications
from torch import nn
from torchvision import models

from pixelwise.errors import ModelError
from pixelwise.families.fcn import classifiers
from pixelwise.families.fcn.classifiers import CLASSIFIERS, Classifier, convert_fully_connected, convolutionalise
from pixelwise.nets.feature_extractor import IMAGENET
from pixelwise.nets.receptive_fields import measure_receptive_field

STRIDES = {"alexnet": (8, 16, 32), "vgg16": (2, 4, 8, 16, 32), "googlenet": (4, 8, 16, 32)}


def weightless(name: str, strides: tuple[int, ...]) -> Classifier:
    """The net without memory for its weights: enough for shapes and counts."""
    with torch.device("meta"):
        return Classifier(name, strides, weights="none")


@pytest.fixture(scope="module")
def googlenet() -> models.GoogLeNet:
    """Torchvision's net with heads, statistics and weights of no meaning."""
    torch.manual_seed(0)
    net = models.GoogLeNet(num_classes=5, init_weights=False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


@pytest.fixture(scope="module")
def googlenet_file(googlenet, tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "googlenet.pth"
    torch.save(googlenet.state_dict(), file)
    return file


def test_a_dense_map_equals_the_classifier_on_every_crop():
    torch.manual_seed(0)
    pools = [nn.MaxPool2d(3, stride=2) for _ in range(3)]
    first, second, third = nn.Conv2d(3, 6, 11, stride=4), nn.Conv2d(6, 8, 9), nn.Conv2d(8, 8, 7)
    features = nn.Sequential(first, nn.ReLU(), pools[0], second, nn.ReLU(), pools[1], third, nn.ReLU(), pools[2])
    fc6, fc7 = nn.Linear(8 * 6 * 6, 16), nn.Linear(16, 5)
    classifier = nn.Sequential(features, nn.Flatten(), fc6, nn.ReLU(), fc7).eval()
    dense = nn.Sequential(features, convolutionalise(fc6, 8, 6), nn.ReLU(), convolutionalise(fc7, 16, 1)).eval()
    # AlexNet's geometry with the borders that its paddings hide: as far as its units see, every 32 pixels.
    size = measure_receptive_field(*dense)
    assert size >= 355
    image = torch.rand(1, 3, size + 32, size + 64)
    with torch.inference_mode():
        scores = dense(image)
        assert scores.shape == (1, 5, 2, 3)
        for i in range(2):
            for j in range(3):
                crop = image[..., 32 * i : 32 * i + size, 32 * j : 32 * j + size]
                torch.testing.assert_close(scores[..., i, j], classifier(crop), rtol=0, atol=1e-5)


def torchvision_net(name: str) -> nn.Module:
    """Torchvision's classifier with weights of no meaning."""
    torch.manual_seed(0)
    return models.get_model(name, weights=None, **({"init_weights": False} if name == "vgg16" else {})).eval()


def convolutional(net: nn.Module, name: str) -> nn.Sequential:
    """All of torchvision's `net` in convolutions, with its own padding: features, fc6 and fc7, score."""
    channels, kernel, indices = {"alexnet": (256, 6, (1, 4)), "vgg16": (512, 7, (0, 3))}[name]
    top = nn.Sequential(*convert_fully_connected(net, indices, channels, kernel))
    return nn.Sequential(net.features, top, convolutionalise(net.classifier[6], 4096, 1)).eval()


def require_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to 1e-5 of the largest value."""
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("name", ["alexnet", "vgg16"])
def test_a_convolutional_classifier_gives_torchvisions_fc7_and_scores(name):
    net, image = torchvision_net(name), torch.randn(1, 3, 224, 224)
    dense = convolutional(net, name)
    with torch.inference_mode():
        features = net.avgpool(net.features(image)).flatten(1)
        fc7, score = net.classifier[:6](features), net.classifier(features)
        found = dense[:2](image)
        assert found.shape == (1, 4096, 1, 1)
        require_close(found.flatten(1), fc7)
        require_close(dense[2](found).flatten(1), score)


def test_the_middle_cell_of_padded_vgg16_is_torchvisions_fc7(monkeypatch):
    source = torchvision_net("vgg16")
    # Stands in for a download.
    monkeypatch.setattr(classifiers, "read_torchvision_state", lambda name, weights: source.state_dict())
    net, image = Classifier("vgg16", (32,), "imagenet").eval(), 255 * torch.rand(1, 3, 224, 224)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    with torch.inference_mode():
        fc7 = source.classifier[:6](source.features((image - mean) / std).flatten(1))
        (found,) = net(image)
    # Padded by 3, the kernel of fc6 covers all of pool5 at the middle of seven by seven cells.
    assert found.shape[-2:] == (7, 7)
    require_close(found[..., 3, 3], fc7)


def test_a_dense_map_takes_less_than_a_fifth_of_the_multiplications_of_its_crops():
    """Figure 2.2 and §2.2.1: AlexNet's 10×10 scores at once, more than five times as fast as one after the other."""
    with torch.device("meta"):
        net = torchvision_net("alexnet")
        crop, image = torch.zeros(1, 3, 224, 224), torch.zeros(1, 3, 224 + 9 * 32, 224 + 9 * 32)
    dense = convolutional(net, "alexnet")
    assert dense(image).shape[-2:] == (10, 10)
    assert 5 * multiplications(lambda: dense(image)) < 100 * multiplications(lambda: net(crop))


@pytest.mark.parametrize(("name", "millions"), [("alexnet", 57), ("vgg16", 134), ("googlenet", 6)])
def test_with_21_scores_a_net_has_the_parameters_of_table_2_1(name, millions):
    net = weightless(name, (32,))
    score = 21 * (net.channels[-1] + 1)
    assert round((sum(p.numel() for p in net.parameters()) + score) / 1e6) == millions


@pytest.mark.parametrize(("name", "pixels"), [("alexnet", 355), ("vgg16", 404), ("googlenet", 571 - 6 * 32)])
def test_a_unit_sees_as_many_pixels_as_its_layers_let_it(name, pixels):
    assert measure_receptive_field(*weightless(name, (32,)).stages) == pixels


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_there_is_a_map_at_every_stride_for_any_size(name):
    strides = STRIDES[name]
    net = weightless(name, strides)
    for height, width in ((1, 1), (33, 64), (97, 131)):
        maps = net(torch.zeros(2, 3, height, width, device="meta"))
        expected = [(2, c, -(-height // s), -(-width // s)) for c, s in zip(net.channels, strides, strict=True)]
        assert [tuple(found.shape) for found in maps] == expected


def test_offsets_follow_from_the_layers():
    assert weightless("vgg16", (32, 16, 8)).offsets == [3.5, 7.5, 15.5]
    assert weightless("alexnet", (8, 16, 32)).offsets == [0, 0, 16]
    assert weightless("googlenet", (8, 16, 32)).offsets == [0, 0, 8]


def test_layers_past_the_last_stride_are_left_out():
    assert sum(p.numel() for p in weightless("vgg16", (8,)).parameters()) < 2e6


def test_a_file_of_torchvisions_weights_gives_torchvisions_features(googlenet, googlenet_file):
    net = Classifier("googlenet", (8,), str(googlenet_file)).eval()
    image = 255 * torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        x = image / 127.5 - 1
        for name in ("conv1", "maxpool1", "conv2", "conv3", "maxpool2", "inception3a", "inception3b"):
            x = googlenet.get_submodule(name)(x)
        # Without padding, torchvision's pools move the grid by 2 and 4 pixels.
        (found,) = net(image[..., 6:, 6:])
    torch.testing.assert_close(found[..., 6:22, 6:22], x[..., 6:22, 6:22], rtol=1e-4, atol=1e-5)


def test_frozen_stages_keep_their_weights_and_statistics_while_it_trains(googlenet_file):
    net = Classifier("googlenet", (8, 16), str(googlenet_file))
    net.freeze(8)
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net(255 * torch.rand(2, 3, 64, 64))[-1].sum().backward()
    optimiser.step()
    changed = {name.split(".")[1] for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"2"}
    net.freeze(0)
    assert all(parameter.requires_grad for parameter in net.parameters())
    with pytest.raises(ModelError, match="expected one of them or 0"):
        net.freeze(32)


def test_what_cannot_be_had_is_said_in_one_line(googlenet_file, tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="expected one of alexnet, vgg16, googlenet"):
        Classifier("resnet", (32,), "none")
    with pytest.raises(ModelError, match=r"expected \[4\] among them"):
        weightless("alexnet", (4, 32))
    with pytest.raises(ModelError, match=r"could not be read from .*FileNotFoundError"):
        Classifier("vgg16", (32,), str(tmp_path / "none.pth"))
    with pytest.raises(ModelError, match=r"features.0.weight is missing"):
        Classifier("vgg16", (32,), str(googlenet_file))
    state = {"features.0.weight": torch.zeros(1)}
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(ModelError, match=r"found \(1,\), expected \(64, 3, 3, 3\)"):
        Classifier("vgg16", (32,), str(tmp_path / "odd.pth"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ModelError, match="could not be fetched") as raised:
        Classifier("alexnet", (32,), "imagenet")
    assert "\n" not in str(raised.value)
