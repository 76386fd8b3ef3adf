"""Guided networks: a shared encoder, guidance from annotations, and inference by a learned metric (thesis §4.3).

Beyond the thesis, whose guidance is one mean a class at stride 32: features of several strides in one embedding of unit
length, the support's cells kept beside their mean (a mean cannot hold a black and white dog), and masks at stride 4.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.guided.annotations import pool, shares, spread
from pixelwise.families.guided.metric import MATCHES, Scorer, rival
from pixelwise.families.guided.runtime.annotations import STRIDE
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.upsampling import make_interpolation, upsample_by_products

# The stride of the masks.
FINE = 4
# What a class without an annotation scores: as unlike as can be.
FLOOR = 1e-3
# Kernels are scaled by e to this power: the exporter takes an added constant below 1e-8 for zero.
LIFT = 13.8155
# How much strides 8, 16 and 32 count in a match at first.
GAINS = (0.7, 1.3, 1.0)
# Share of training tasks that matching alone must do: categories known by heart are of no use on new ones.
FORGOTTEN = 0.4
# As in runtime/settling.py: the least probability of the negative class that counts as sure, and of any other.
SURE_OF_NEGATIVE, SURE = 0.9, 0.5


class Guidance(NamedTuple):
    """A task: what is known of each class. N tasks, K classes, M cells of all the support.

    mean: (N, K, D), the mean of shots. present: (N, K) bool. keys: (N, M, D) embeddings of the support's cells; values:
    (N, K, M) what each says of each class, zeros where it says nothing.
    """

    mean: Tensor
    present: Tensor
    keys: Tensor
    values: Tensor


class Features(NamedTuple):
    """A picture encoded: embedding (N, h, w, D) of unit length, its projections `seen` (N, 2C, h, w), both at stride 8,
    and details `fine` (N, C/2, h4, w4) at stride 4.
    """

    embedding: Tensor
    seen: Tensor
    fine: Tensor


class GuidedNet(nn.Module):
    """A few annotations define the task, and no weight changes (thesis §4.3).

    What is matched are the backbone's own features at strides 8, 16 and 32, each of unit length, with a learned gain a
    channel: untrained, they beat any projection of them. `hidden` channels are the scorer's.
    """

    strides: Tensor

    def __init__(self, backbone: Backbone, hidden: int) -> None:
        super().__init__()
        self.backbone = backbone
        channels = backbone.channels[1:]
        self.gain = nn.ParameterList(nn.Parameter(torch.ones(count)) for count in channels)
        self.weight = nn.Parameter(torch.tensor(GAINS))
        self.look = nn.Sequential(
            nn.Conv2d(backbone.channels[0], hidden // 2, kernel_size=1, bias=False),
            nn.BatchNorm2d(hidden // 2),
            nn.ReLU(inplace=True),
        )
        self.scorer = Scorer(sum(channels), hidden)
        self.objects = Scorer(sum(channels), hidden)
        # Which stride each place of the embedding belongs to, (3, D).
        places = torch.arange(3).repeat_interleave(torch.tensor(channels))
        self.register_buffer("strides", F.one_hot(places).T.float(), persistent=False)
        # Sharpness of matching; larger is nearer to one nearest neighbour.
        self.log_sharpness = nn.Parameter(torch.tensor(40.0).log())

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> tuple[Tensor, ...]:
        """An episode of one shot: logits (N, K, H, W) of the query at first and settled, and (N, 2, H, W) unguided.

        Pictures are (N, H, W, 3) uint8 of equal size. Settled: guided by its first mask too, as runtime/settling.py has
        it, so that the scorer learns what such guidance is worth.
        """
        both = self.encode(torch.cat([support, query]).permute(0, 3, 1, 2).float())
        told, asked = (Features(*parts) for parts in zip(*(part.chunk(2) for part in both), strict=True))
        guidance = self.guide(told.embedding, annotation)
        size = annotation.shape[-2:]
        first = upsample_by_products(self.segment(asked, guidance, hint), FINE, size)
        # What is matched learns from the first mask alone, which halves the cost of the second.
        still = asked._replace(embedding=asked.embedding.detach())
        settled = self.segment(still, settle(self, still, guidance, first.detach()), hint)
        # Learning what any object looks like must not bend what is matched.
        unguided = self.foreground(still.embedding, asked.fine)
        return first, upsample_by_products(settled, FINE, size), upsample_by_products(unguided, FINE, size)

    def encode(self, image: Tensor) -> Features:
        """The features of pictures (N, 3, H, W) float, 0–255: all that no guidance changes."""
        fine, *features = self.backbone(image)
        finest = features[0].shape[-2:]
        weight = F.normalize(self.weight, dim=0)
        parts = [
            F.normalize(cells_last(F.normalize(x, dim=1), 2**place, finest) * gain, dim=3) * weight[place]
            for place, (x, gain) in enumerate(zip(features, self.gain, strict=True))
        ]
        embedding = torch.cat(parts, dim=3)
        return Features(embedding, self.scorer.see(embedding), self.look(fine))

    def guide(self, embedding: Tensor, annotation: Tensor) -> Guidance:
        """The guidance of one shot a task: embedding (N, h, w, D), annotation (N, K, H, W) in 0–1; no encoder runs."""
        return self.pool(embedding, spread(annotation, STRIDE))

    def pool(self, embedding: Tensor, cells: Tensor) -> Guidance:
        """`guide` by an annotation that is on the grid of features already, `cells` (N, K, h, w)."""
        mean, present = pool(embedding, cells)
        return Guidance(mean, present, embedding.flatten(1, 2), shares(cells))

    def segment(self, features: Features, guidance: Guidance, hint: Tensor) -> Tensor:
        """Scores (N, K, h4, w4) at stride 4 of each class.

        hint: (N, K, 2, h, w), what is known of this very picture: the mask of the frame before, and clicks on it.
        """
        found = self.match(features.embedding, guidance, hint)
        seen, mean = features.seen, guidance.mean
        if self.training:
            known = (torch.rand(len(mean), 1, 1, device=mean.device) >= FORGOTTEN).to(mean)
            seen, mean = seen * known[..., None], mean * known
        return self.scorer(seen, features.fine, mean, found)

    def foreground(self, embedding: Tensor, fine: Tensor) -> Tensor:
        """Scores (N, 2, h4, w4) of background and any object: a scorer of its own that is told nothing (thesis §4.4).

        It is the floor that guidance must beat.
        """
        batch, height, width, length = embedding.shape
        nobody = embedding.new_zeros(batch, 1, length)
        nothing = embedding.new_zeros(batch, 1, MATCHES, height, width)
        score = self.objects(self.objects.see(embedding), fine, nobody, nothing)
        return torch.cat([torch.zeros_like(score), score], dim=1)

    def match(self, embedding: Tensor, guidance: Guidance, hint: Tensor) -> Tensor:
        """How well each cell fits each class and its best rival, (N, K, C, h, w): ways are batched, in any order."""
        batch, height, width, _ = embedding.shape
        ways, cells = guidance.mean.shape[1], guidance.keys.shape[1]
        sharpness = self.log_sharpness.clamp(max=5).exp()
        # Each stride by itself too: fine ones know the object, coarse ones its class. Of a unit vector, each stride's
        # part is as long as its weight.
        means = F.normalize(guidance.mean[:, :, None] * self.strides, dim=3) / F.normalize(self.weight, dim=0)[:, None]
        known = torch.cat([guidance.keys, means.flatten(1, 2)], dim=1)
        # Cells first: the long side of a product's first matrix is read as it lies.
        likeness = embedding.flatten(1, 2) @ (sharpness * known).transpose(1, 2)
        # The means have no vote; cutting them off would cost a copy of all.
        values = F.pad(guidance.values, (0, 3 * ways)).transpose(1, 2)
        votes = ((likeness + (LIFT - sharpness)).exp() @ values + FLOOR).transpose(1, 2)
        nearest = (votes.log() - LIFT) / 20
        cosines = (likeness[..., cells:] / sharpness).transpose(1, 2).unflatten(1, (ways, 3))
        found = torch.cat([nearest[:, :, None], cosines], dim=2)
        share = (votes / votes.sum(dim=1, keepdim=True))[:, :, None]
        present = guidance.present.to(found)[:, :, None, None].expand_as(share)
        # What fits best in this picture is the object, however unlike the support it looks.
        own = torch.cat([found, found - found.amax(dim=3, keepdim=True), present, hint.flatten(3)], dim=2)
        maps = torch.cat([own, rival(own), share, share - share.amax(dim=3, keepdim=True)], dim=2)
        return maps.view(batch, ways, MATCHES, height, width)


def cells_last(x: Tensor, factor: int, size: torch.Size) -> Tensor:
    """`x` (N, C, h, w) on a `factor` times finer grid of `size` (H, W), as (N, H, W, C): matching reads it so."""
    x = x.permute(0, 2, 3, 1)
    if factor == 1:
        return x
    batch, height, width, channels = x.shape
    rows, columns = make_interpolation(height, factor, size[0]).to(x), make_interpolation(width, factor, size[1]).to(x)
    return (rows @ (columns @ x).flatten(2)).view(batch, size[0], size[1], channels)


def settle(net: GuidedNet, features: Features, guidance: Guidance, logits: Tensor) -> Guidance:
    """`guidance` and one shot more, of what `logits` (N, K, H, W) are sure of in the picture itself.

    Where they are sure of some class nowhere, it says nothing, as in runtime/settling.py.
    """
    least = torch.full_like(logits[:1, :, :1, :1], SURE)
    least[:, 0] = SURE_OF_NEGATIVE
    own = net.guide(features.embedding, (logits.softmax(dim=1) >= least).float())
    is_whole = (own.present | ~guidance.present).all(dim=1)[:, None]
    added, shots = (own.present & is_whole).float()[..., None], guidance.present.float()[..., None]
    return Guidance(
        mean=(guidance.mean * shots + own.mean * added) / (shots + added).clamp(min=1),
        present=guidance.present | (own.present & is_whole),
        keys=torch.cat([guidance.keys, own.keys], dim=1),
        values=torch.cat([guidance.values, own.values * is_whole[..., None]], dim=2),
    )
