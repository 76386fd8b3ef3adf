"""The guides beside the default one: early fusion, masking, and the thesis's late ones alone (thesis §4.3.1)."""

import pytest
import torch

from pixelwise.errors import ParamsError
from pixelwise.families.guided.early_fusion import EarlyFusion, dilate
from pixelwise.families.guided.family import GUIDES, build, graphs
from pixelwise.families.guided.metric import MATCHES, Scorer
from pixelwise.families.guided.params import NetworkParams
from pixelwise.nets.backbones import Backbone


def net_of(guide: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(NetworkParams(guide=guide, weights="none", frozen_stride=0, hidden=8), 2).eval()


@pytest.fixture(scope="module")
def nets() -> dict[str, torch.nn.Module]:
    return {guide: net_of(guide) for guide in GUIDES}


def picture(seed: int, height: int = 97, width: int = 131) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, height, width, 3), dtype=torch.uint8, generator=generator)


def dots(seed: int = 0) -> torch.Tensor:
    return (torch.rand(1, 2, 97, 131, generator=torch.Generator().manual_seed(seed)) < 0.002).float()


def hint() -> torch.Tensor:
    return torch.rand(1, 2, 2, 13, 17, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("guide", GUIDES)
@torch.inference_mode()
def test_every_guide_takes_an_episode_of_any_size_and_gives_both_classes_a_score_a_pixel(nets, guide):
    assert nets[guide](picture(0), dots(), picture(1), hint())[0].shape == (1, 2, 97, 131)


@torch.inference_mode()
def test_stacked_annotations_reach_the_mask_of_their_own_picture_by_one_pass(nets, monkeypatch):
    net, passes = nets["early"], []
    expected, _ = net(picture(0), dots(), picture(0), hint())
    forward = net.backbone.forward
    monkeypatch.setattr(net.backbone, "forward", lambda image: passes.append(image.shape) or forward(image))
    together = net.segment_together(picture(0), dots())
    assert passes == [(1, 5, 97, 131)]
    torch.testing.assert_close(together, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(net.segment_together(picture(0), dots(1)), together)


@torch.inference_mode()
def test_of_a_masked_picture_only_its_positives_count(nets):
    net, said = nets["masking"], dots()
    elsewhere = torch.where(dilate(said[:, 1:])[0, 0, :, :, None] > 0, picture(0), picture(5))
    expected, _ = net(picture(0), said, picture(1), hint())
    torch.testing.assert_close(net(elsewhere, said, picture(1), hint())[0], expected, rtol=1e-4, atol=1e-5)
    negatives = torch.stack([dots(3)[:, 0], said[:, 1]], dim=1)
    torch.testing.assert_close(net(picture(0), negatives, picture(1), hint())[0], expected)


@torch.inference_mode()
def test_the_late_global_guide_forgets_places_and_the_late_local_one_looks(nets):
    net = nets["late-global"]
    features = net.encode(torch.rand(1, 3, 97, 131) * 255)
    guidance = net.guide(features.embedding, dots())
    moved = guidance._replace(keys=guidance.keys.flip(1), places=guidance.places.flip(1))
    expected = net.segment(features, guidance, hint())
    torch.testing.assert_close(net.segment(features, moved, hint().flip(4)), expected)
    local = nets["late-local"]
    other = guidance._replace(mean=guidance.mean.flip(1))
    expected = local.segment(features, guidance, hint())
    torch.testing.assert_close(local.segment(features, other, hint()), expected)
    assert not torch.allclose(local.segment(features, guidance, hint().flip(4)), expected)


@torch.inference_mode()
def test_the_late_local_guide_is_the_supports_features_at_the_places_of_its_annotations(nets):
    net, annotation = nets["late-local"], torch.zeros(1, 2, 97, 131)
    annotation[0, 0, 24, 40], annotation[0, 1, 64, 80] = 1, 1
    features = net.encode(torch.rand(1, 3, 97, 131, generator=torch.Generator().manual_seed(0)) * 255)
    embedding, guidance = features.embedding, net.guide(features.embedding, annotation)
    expected = torch.zeros(1, 2, *embedding.shape[1:])
    expected[0, 0, 3, 5], expected[0, 1, 8, 10] = embedding[0, 3, 5], embedding[0, 8, 10]
    torch.testing.assert_close(net.fuse(guidance, embedding.shape[1:3]), expected, rtol=1e-4, atol=1e-5)
    # Of a picture half as large, the same part.
    half = net.fuse(guidance, (6, 8))
    assert half[0, 1].norm(dim=-1).argmax() in (3 * 8 + 4, 4 * 8 + 4, 4 * 8 + 5)
    # Twice annotated, by the same, is once.
    twice = guidance._replace(
        **{name: torch.cat([getattr(guidance, name)] * 2, dim=1) for name in ("keys", "places")},
        values=torch.cat([guidance.values] * 2, dim=2),
    )
    torch.testing.assert_close(net.fuse(twice, embedding.shape[1:3]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("changed", ["keys", "values", "places"])
@torch.inference_mode()
def test_the_late_local_guide_listens_to_what_is_annotated_and_where(nets, changed):
    net = nets["late-local"]
    features = net.encode(torch.rand(1, 3, 97, 131, generator=torch.Generator().manual_seed(0)) * 255)
    guidance, no_hint = net.guide(features.embedding, dots()), torch.zeros_like(hint())
    other = guidance._replace(**{changed: getattr(guidance, changed).flip(1)})
    difference = net.segment(features, other, no_hint) - net.segment(features, guidance, no_hint)
    # Far above rounding; a net that is not trained listens little.
    assert difference.abs().max() > 1e-5


def test_early_fusion_ships_as_a_graph_for_the_annotated_picture_and_two_for_others(nets):
    for guide in ("early", "masking"):
        assert isinstance(nets[guide], EarlyFusion)
        shipped = graphs(nets[guide], NetworkParams(guide=guide, frozen_stride=0, hidden=8), 2)
        assert {graph.name: [*graph.example(1, 97, 131)] for graph in shipped} == {
            "fused": ["image", "annotation"],
            "support": ["image", "annotation"],
            "query": ["image", "guide"],
        }


@pytest.mark.parametrize("guide", ["early", "masking"])
@torch.inference_mode()
def test_the_graphs_of_early_fusion_compute_an_episode_as_training_does(nets, guide):
    net = nets[guide]
    guided, unguided = net(picture(0), dots(), picture(1), hint())
    made = net.guide(picture(0), dots())
    torch.testing.assert_close(net.segment_query(picture(1), made), guided, rtol=1e-4, atol=1e-5)
    alone = net.segment_query(picture(1), torch.zeros_like(made))
    torch.testing.assert_close(alone, unguided, rtol=1e-4, atol=1e-5)


def test_annotations_that_would_enter_a_frozen_encoder_are_refused():
    with pytest.raises(ParamsError, match="frozen_stride: found 32, expected 0 where guide is early"):
        build(NetworkParams(guide="early", weights="none"), 2)


def test_a_backbone_widened_for_annotations_starts_as_it_was_on_colours():
    torch.manual_seed(0)
    plain = Backbone("efficientnet_lite0", (4, 8, 16, 32))
    widened = Backbone("efficientnet_lite0", (4, 8, 16, 32), extra_channels=2)
    assert torch.equal(plain.features.conv_stem.weight, widened.features.conv_stem.weight[:, :3])


@torch.inference_mode()
def test_the_scorer_fuses_by_concatenation_and_by_product():
    torch.manual_seed(0)
    scorer = Scorer(embedding=40, hidden=6).eval()
    embedding, fine, mean = torch.randn(2, 5, 7, 40), torch.rand(2, 3, 10, 14), torch.randn(2, 3, 40)
    found, fused = torch.randn(2, 3, MATCHES, 5, 7), []
    scorer.near.register_forward_pre_hook(lambda _, inputs: fused.append(inputs[0]))
    scorer(scorer.see(embedding), fine, mean[:, :, None, None], found)
    tiled = mean[:, :, None, None].expand(-1, -1, 5, 7, -1)
    both = torch.cat([embedding[:, None].expand(-1, 3, -1, -1, -1), tiled], dim=4)
    weight = torch.cat([scorer.project.weight[:6], scorer.tiled.weight[:6]], dim=1)
    concatenated = both @ weight.T + scorer.project.bias[:6] + scorer.tiled.bias[:6]
    product = scorer.project(embedding)[:, None, ..., 6:] * scorer.tiled(tiled)[..., 6:]
    expected = (concatenated + product).permute(0, 1, 4, 2, 3).flatten(0, 1) + scorer.found(found.flatten(0, 1))
    torch.testing.assert_close(fused[0], expected, rtol=1e-4, atol=1e-5)
