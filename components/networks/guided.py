"""Guided networks: a shared encoder, guidance from annotations, and inference by a learned metric (thesis §4.3).

Beyond the thesis, whose guidance is one mean a class at stride 32: features of several strides in one embedding of unit
length, the support's cells kept beside their mean (a mean cannot hold a black and white dog), and masks at stride 4.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from components.networks.annotations import pool, shares, spread
from components.networks.backbones import Backbone
from components.networks.fusion import conv_norm_relu
from components.networks.upsampling import upsample

STRIDE, FINE = 8, 4
# What a class without an annotation scores: as unlike as can be.
FLOOR = 1e-3
# Kernels are scaled by e to this power: the exporter takes an added constant below 1e-8 for zero.
LIFT = 13.8155
# How much strides 8, 16 and 32 count in a match at first.
GAINS = (0.7, 1.3, 1.0)


class Guidance(NamedTuple):
    """A task: what is known of each class. N tasks, K classes, M cells of all the support.

    mean: (N, K, D), the mean of shots. present: (N, K) bool. keys: (N, M, D) embeddings of the support's cells; values:
    (N, K, M) what each says of each class, zeros where it says nothing.
    """

    mean: Tensor
    present: Tensor
    keys: Tensor
    values: Tensor


class GuidedNet(nn.Module):
    """A few annotations define the task, and no weight changes (thesis §4.3).

    What is matched are the backbone's own features at strides 8, 16 and 32, each of unit length, with a learned gain a
    channel: untrained, they beat any projection of them. `hidden` channels are the scorer's.
    """

    def __init__(self, backbone: Backbone, hidden: int) -> None:
        super().__init__()
        self.backbone = backbone
        channels = backbone.channels[1:]
        self.gain = nn.ParameterList(
            nn.Parameter(torch.full((1, count, 1, 1), gain)) for count, gain in zip(channels, GAINS, strict=True)
        )
        self.look = conv_norm_relu(backbone.channels[0], hidden)
        self.scorer = Scorer(sum(channels), hidden)
        self.objects = Scorer(sum(channels), hidden)
        self.parts = tuple(channels)
        # Sharpness of matching; larger is nearer to one nearest neighbour.
        self.log_sharpness = nn.Parameter(torch.tensor(40.0).log())

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> tuple[Tensor, Tensor]:
        """An episode of one shot: logits (N, K, H, W) of the query, and those (N, 2, H, W) without any guidance.

        Pictures are (N, H, W, 3) uint8 of equal size.
        """
        both = torch.cat([support, query]).permute(0, 3, 1, 2).float()
        (embedding, seen), (_, fine) = (part.chunk(2) for part in self.encode(both))
        scores = self.segment(seen, fine, self.guide(embedding, annotation), hint)
        # Learning what any object looks like must not bend what is matched.
        unguided = self.foreground(seen.detach(), fine)
        return upsample(scores, FINE, annotation.shape[-2:]), upsample(unguided, FINE, annotation.shape[-2:])

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """image: (N, 3, H, W) float, 0–255. Returns unit vectors (N, D, h, w) at stride 8, details at stride 4."""
        fine, *features = self.backbone(image)
        finest = features[0].shape[-2:]
        parts = [
            upsample(F.normalize(x, dim=1) * gain, 2**place, finest)
            for place, (x, gain) in enumerate(zip(features, self.gain, strict=True))
        ]
        return F.normalize(torch.cat(parts, dim=1), dim=1), self.look(fine)

    def guide(self, embedding: Tensor, annotation: Tensor) -> Guidance:
        """The guidance of one shot a task: embedding (N, D, h, w), annotation (N, K, H, W) in 0–1; no encoder runs."""
        cells = spread(annotation, STRIDE)
        mean, present = pool(embedding, cells)
        return Guidance(mean, present, embedding.flatten(2).transpose(1, 2), shares(cells))

    def segment(self, embedding: Tensor, fine: Tensor, guidance: Guidance, hint: Tensor) -> Tensor:
        """Scores (N, K, h4, w4) at stride 4 of each class.

        hint: (N, K, 2, h, w), what is known of this very picture: the mask of the frame before, and clicks on it.
        """
        found = self.match(embedding, guidance, hint)
        return self.scorer(embedding, fine, guidance.mean, found)

    def foreground(self, embedding: Tensor, fine: Tensor) -> Tensor:
        """Scores (N, 2, h4, w4) of background and any object: a scorer of its own that is told nothing (thesis §4.4).

        It is the floor that guidance must beat.
        """
        batch, length, height, width = embedding.shape
        nobody = embedding.new_zeros(batch, 1, length)
        score = self.objects(embedding, fine, nobody, embedding.new_zeros(batch, 1, MATCHES, height, width))
        return torch.cat([torch.zeros_like(score), score], dim=1)

    def match(self, embedding: Tensor, guidance: Guidance, hint: Tensor) -> Tensor:
        """How well each cell fits each class and its best rival, (N, K, C, h, w): ways are batched, in any order."""
        batch, _, height, width = embedding.shape
        query = embedding.flatten(2).transpose(1, 2)
        sharpness = self.log_sharpness.clamp(max=5).exp()
        kernel = (sharpness * (guidance.keys @ embedding.flatten(2) - 1) + LIFT).exp()
        votes = guidance.values @ kernel
        likeness = ((votes + FLOOR).log() - LIFT) / 20
        # Each stride by itself too: fine ones know the object, coarse ones its class.
        cosines = [
            F.normalize(mean, dim=2) @ F.normalize(part, dim=1)
            for mean, part in zip(
                guidance.mean.split(self.parts, dim=2), embedding.flatten(2).split(self.parts, dim=1), strict=True
            )
        ]
        share = (votes + FLOOR) / (votes + FLOOR).sum(dim=1, keepdim=True)
        present = guidance.present.to(query)[..., None].expand_as(likeness)
        found = torch.stack([likeness, *cosines], dim=2)
        # What fits best in this picture is the object, however unlike the support it looks.
        own = torch.cat([found, found - found.amax(dim=3, keepdim=True), present[:, :, None]], dim=2)
        maps = torch.cat([own, rival(own), share[:, :, None]], dim=2)
        ways = maps.shape[1]
        return torch.cat([maps.reshape(batch, ways, -1, height, width), hint, rival(hint)], dim=2)


def rival(values: Tensor) -> Tensor:
    """The highest value among the other classes, for each class of (N, K, …)."""
    ways = values.shape[1]
    same = torch.eye(ways, dtype=torch.bool, device=values.device).view(1, ways, ways, *[1] * (values.dim() - 2))
    return values[:, None].masked_fill(same, -1e4).amax(dim=2)


class Scorer(nn.Module):
    """A small learned metric: query features fused with a tiled guide, scored cell by cell and once more at stride 4.

    Fusing by concatenation and a linear layer is a sum of two layers (thesis §4.3.2); their product is a third.
    """

    def __init__(self, embedding: int, hidden: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(embedding, hidden, kernel_size=1)
        self.tiled = nn.Linear(embedding, hidden)
        self.product = nn.Conv2d(embedding, hidden, kernel_size=1, bias=False)
        self.found = nn.Conv2d(MATCHES, hidden, kernel_size=3, padding=1)
        self.coarse = nn.Sequential(
            nn.ReLU(),
            conv_norm_relu(hidden, hidden, 3),
            conv_norm_relu(hidden, hidden, 5, groups=hidden),
            conv_norm_relu(hidden, hidden, 3),
        )
        self.fine = nn.Sequential(conv_norm_relu(2 * hidden, hidden), conv_norm_relu(hidden, hidden, 3))
        self.score = nn.Conv2d(hidden, 1, kernel_size=1)

    def forward(self, embedding: Tensor, fine: Tensor, mean: Tensor, found: Tensor) -> Tensor:
        """Scores (N, K, h4, w4). `found` (N, K, C, h, w): what was matched."""
        batch, ways = found.shape[:2]
        # Query and product are linear in the embedding, and so one layer whose weights the mean makes.
        weight = self.query.weight.flatten(1) + self.product.weight.flatten(1) * mean[:, :, None]
        fused = (weight.flatten(1, 2) @ embedding.flatten(2)).view(batch * ways, -1, *embedding.shape[-2:])
        offset = self.tiled(mean) + self.query.bias
        fused = fused + offset.flatten(0, 1)[..., None, None] + self.found(found.flatten(0, 1))
        look = fine[:, None].expand(-1, ways, -1, -1, -1).flatten(0, 1)
        coarse = upsample(self.coarse(fused), STRIDE // FINE, look.shape[-2:])
        scores = self.score(self.fine(torch.cat([coarse, look], dim=1)))
        return scores.view(batch, ways, *scores.shape[-2:])


# Likeness and three cosines, each again relative to the best in the picture, and presence, of the class and of its
# rival; its share, both hints and the rival's.
MATCHES = 23
