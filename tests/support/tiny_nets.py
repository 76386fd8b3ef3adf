"""Nets that are exported in seconds, and whose untrained scores differ from pixel to pixel."""

import torch
from torch import Tensor, nn

from pixelwise.families.fcn.net import FCN
from pixelwise.families.fcn.reference import ReferenceFCN

# timm's own for tests: the time of an export grows with the number of operators.
TINY_BACKBONE = "test_efficientnet"


@torch.no_grad()
def spread_scores(net: FCN | ReferenceFCN, images: Tensor) -> None:
    """Draw the scoring layers of `net` so that on `images` (N, 3, H, W) no stream and no class drowns the others."""
    net.eval()
    layers = list(net.score.values() if isinstance(net, ReferenceFCN) else net.fusion.score)
    for layer in layers:
        nn.init.normal_(layer.weight)
    features, x = [], net.prepare(images)
    for piece in net.split_by_stride():
        x = piece(x)
        features.insert(0, x)
    if isinstance(net, FCN) and net.top_down:
        features = net.top_down(features)
    for x, layer in zip(features, layers, strict=True):
        layer.weight.div_(layer(x).std(dim=(0, 2, 3)).view(-1, 1, 1, 1))
        layer.bias.sub_(layer(x).mean(dim=(0, 2, 3)))
