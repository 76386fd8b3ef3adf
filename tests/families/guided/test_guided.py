"""The identities of guidance (thesis §4.3), on a net with random weights."""

import pytest
import torch

from pixelwise.families.guided import net as guided
from pixelwise.families.guided.annotations import merge, pool, spread
from pixelwise.families.guided.net import Features, Guidance, GuidedNet
from pixelwise.families.guided.runtime import refine
from pixelwise.families.guided.runtime.annotations import STRIDE
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.upsampling import upsample, upsample_by_products


@pytest.fixture(scope="module")
def net() -> GuidedNet:
    torch.manual_seed(0)
    return GuidedNet(Backbone("efficientnet_lite0", (4, 8, 16, 32), weights="none"), hidden=8).eval()


@pytest.fixture(scope="module")
def features(net) -> Features:
    with torch.inference_mode():
        return net.encode(torch.rand(1, 3, 97, 131, generator=torch.Generator().manual_seed(0)) * 255)


def dots(ways: int) -> torch.Tensor:
    return (torch.rand(1, ways, 97, 131, generator=torch.Generator().manual_seed(ways)) < 0.01).float()


def no_hint(features: Features) -> torch.Tensor:
    return torch.zeros(1, 2, 2, *features.embedding.shape[1:3])


@pytest.mark.parametrize(("factor", "size"), [(4, (97, 131)), (8, (193, 256)), (2, (50, 66))])
def test_upsampling_by_products_equals_upsampling(factor, size):
    cells = [-(-side // factor) for side in size]
    x = torch.rand(2, 3, *cells, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(upsample_by_products(x, factor, size), upsample(x, factor, size), rtol=1e-4, atol=1e-5)


def test_every_stride_of_the_embedding_is_as_long_as_its_weight(net, features):
    lengths = torch.stack([part.norm(dim=3) for part in features.embedding.split([40, 112, 320], dim=3)], dim=3)
    expected = torch.nn.functional.normalize(net.weight.detach(), dim=0).expand_as(lengths)
    torch.testing.assert_close(lengths, expected, rtol=1e-4, atol=1e-5)


def test_training_and_inference_settle_by_the_same_probabilities():
    assert (guided.SURE_OF_NEGATIVE, guided.SURE) == (refine.SURE_OF_NEGATIVE, refine.SURE)


@torch.inference_mode()
def test_settling_in_training_adds_a_shot_of_what_is_sure_or_nothing_where_a_class_is_nowhere(net, features):
    first = net.guide(features.embedding, dots(2))
    logits = torch.zeros(1, 2, 97, 131)
    logits[:, 0, :40], logits[:, 1, 60:] = 9, 9
    found = guided.settle(net, features, first, logits)
    own = net.guide(features.embedding, (logits.softmax(dim=1) >= torch.tensor([0.9, 0.5]).view(1, 2, 1, 1)).float())
    torch.testing.assert_close(found.mean, (first.mean + own.mean) / 2)
    assert found.values.shape[2] == 2 * first.values.shape[2]
    nowhere = guided.settle(net, features, first, logits.flip(1) * torch.tensor([0.0, 1.0]).view(1, 2, 1, 1))
    torch.testing.assert_close(nowhere.mean, first.mean)
    assert not nowhere.values[:, :, first.values.shape[2] :].any()


@pytest.mark.parametrize(("x", "y"), [(0, 0), (130, 96), (130, 0), (64, 50), (8, 16)])
def test_a_dot_weighs_one_wherever_it_lies_corners_too(x, y):
    annotation = torch.zeros(1, 1, 97, 131)
    annotation[0, 0, y, x] = 1
    assert spread(annotation, (13, 17)).sum().item() == pytest.approx(1, abs=1e-6)


def test_a_dense_mask_gives_the_mean_of_the_upsampled_features_under_it(features):
    embedding, mask = features[0], torch.zeros(1, 1, 97, 131)
    mask[..., 20:70, 30:97] = 1
    mean, present = pool(embedding, spread(mask, embedding.shape[1:3]))
    whole = upsample(embedding.permute(0, 3, 1, 2), STRIDE, mask.shape[-2:])
    expected = (whole * mask).sum(dim=(2, 3)) / mask.sum()
    assert present.all()
    torch.testing.assert_close(mean[:, 0], expected, rtol=1e-4, atol=1e-6)


@torch.inference_mode()
def test_a_new_annotation_makes_no_encoder_call(net, features, monkeypatch):
    monkeypatch.setattr(net, "encode", lambda _: pytest.fail("the encoder ran"))
    shot = net.guide(features[0], dots(2))
    net.segment(features, shot, no_hint(features))


@torch.inference_mode()
def test_permuting_ways_permutes_scores(net, features):
    order, annotation = [2, 0, 1], dots(3)
    hint = torch.rand(1, 3, 2, *features.embedding.shape[1:3])
    scores = net.segment(features, net.guide(features[0], annotation), hint)
    permuted = net.segment(features, net.guide(features[0], annotation[:, order]), hint[:, order])
    torch.testing.assert_close(permuted, scores[:, order], rtol=1e-3, atol=1e-4)


@torch.inference_mode()
def test_two_of_many_ways_equal_the_binary_task(net, features):
    hint = no_hint(features)
    binary = net.guide(features[0], dots(2))
    both = net.segment(features, binary, hint).softmax(dim=1)[:, 1]
    difference = net.segment(features, binary, hint)
    torch.testing.assert_close(both, (difference[:, 1] - difference[:, 0]).sigmoid(), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_the_order_of_the_supports_cells_does_not_matter(net, features):
    shot, hint = net.guide(features[0], dots(2)), no_hint(features)
    order = torch.randperm(shot.keys.shape[1], generator=torch.Generator().manual_seed(0))
    shuffled = Guidance(shot.mean, shot.present, shot.keys[:, order], shot.values[:, :, order], shot.places[:, order])
    torch.testing.assert_close(
        net.segment(features, shuffled, hint), net.segment(features, shot, hint), rtol=1e-3, atol=1e-4
    )


def test_a_shot_without_a_class_leaves_its_mean_alone():
    pooled = torch.tensor([[[1.0, 2], [3, 4]], [[0, 0], [5, 6]]])
    mean, present = merge(pooled, torch.tensor([[True, True], [False, True]]))
    assert present.all()
    assert mean.tolist() == [[1, 2], [4, 5]]
