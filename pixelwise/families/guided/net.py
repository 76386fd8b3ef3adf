"""Guided networks: a shared encoder, guidance from annotations, and inference by a learned metric (thesis §4.3).

The thesis's guidance is one mean per class at stride 32. Here, features of several strides form one embedding of unit
length, guidance keeps the support's cells beside their mean (one mean cannot describe a black and white dog), and masks
have stride 4.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.guided.annotations import compute_shares, pool, spread
from pixelwise.families.guided.metric import MATCHES, Scorer, find_rival
from pixelwise.families.guided.runtime.annotations import STRIDE
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.upsampling import make_interpolation, upsample_by_products

# The stride of the masks.
FINE = 4
# Added to all votes: the least score, which a class without an annotation gets.
FLOOR = 1e-3
# Kernels are scaled by e^LIFT, because the exporter treats an added constant below 1e-8 as zero.
LIFT = 13.8155
# Initial weights of strides 8, 16 and 32 in a match.
GAINS = (0.7, 1.3, 1.0)
# Share of training tasks in which the scorer sees matches only: memorised categories do not help on new ones.
FORGOTTEN = 0.4
# Least probability that counts as sure, of the negative class and of any other; as in runtime/refine.py.
SURE_OF_NEGATIVE, SURE = 0.9, 0.5


class Guidance(NamedTuple):
    """A task as arrays: N tasks, K classes, M cells of the whole support.

    mean: (N, K, D), the mean of shots. present: (N, K) bool. keys: (N, M, D), embeddings of the support's cells.
    values: (N, K, M), the annotation of each cell for each class, zeros without annotation. places: (N, M, 2), the
    rows and columns of the cells, as shares of their picture's grid.
    """

    mean: Tensor
    present: Tensor
    keys: Tensor
    values: Tensor
    places: Tensor


class Features(NamedTuple):
    """An encoded picture: embedding (N, h, w, D) of unit length and its projections `seen` (N, 2C, h, w) at stride 8,
    and details `fine` (N, C/2, h4, w4) at stride 4.
    """

    embedding: Tensor
    seen: Tensor
    fine: Tensor


class GuidedNet(nn.Module):
    """A net whose task is defined by a few annotations; no weight changes for a new task (thesis §4.3).

    Matching uses the backbone's features at strides 8, 16 and 32, each of unit length, with a learned gain per channel:
    even untrained, they beat projections of them. `hidden` is the number of channels of the scorer.
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
        fine, coarse = backbone.offsets[:2]
        self.scorer, self.objects = (Scorer(sum(channels), hidden, (coarse - fine) / FINE) for _ in range(2))
        # One-hot: the stride of each entry of the embedding, (3, D).
        levels = torch.arange(3).repeat_interleave(torch.tensor(channels))
        self.register_buffer("strides", F.one_hot(levels).T.float(), persistent=False)
        # Sharpness of matching; the larger, the closer to matching the nearest neighbour only.
        self.log_sharpness = nn.Parameter(torch.tensor(40.0).log())

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> tuple[Tensor, ...]:
        """Return an episode's logits of the query: first and refined (N, K, H, W), and unguided (N, 2, H, W).

        The support is one shot; pictures are (N, H, W, 3) uint8 of equal size. Refined logits are guided by the first
        mask too, as in runtime/refine.py, so that the scorer learns how far to trust such guidance.
        """
        both = self.encode(torch.cat([support, query]).permute(0, 3, 1, 2).float())
        support_features, query_features = (
            Features(*chunks) for chunks in zip(*(maps.chunk(2) for maps in both), strict=True)
        )
        guidance = self.guide(support_features.embedding, annotation)
        size, (height, width) = annotation.shape[-2:], query_features.embedding.shape[1:3]
        # A backbone that leaves out what does not fill a tile has fewer cells than the picture has.
        hint = hint[..., :height, :width]
        first = self.enlarge(self.segment(query_features, guidance, hint), size)
        # The embedding learns from the first mask only, which halves the cost of the second.
        still = query_features._replace(embedding=query_features.embedding.detach())
        settled = self.segment(still, settle(self, still, guidance, first.detach()), hint)
        # The foreground task must not change the embedding, which is for matching.
        unguided = self.foreground(still.embedding, query_features.fine)
        return first, self.enlarge(settled, size), self.enlarge(unguided, size)

    def enlarge(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """Upsample scores (N, K, h4, w4) to the pixels of a picture of `size` (H, W)."""
        return upsample_by_products(scores, FINE, size, self.backbone.offsets[0])

    def encode(self, image: Tensor) -> Features:
        """Return the features of pictures (N, 3, H, W) float, 0–255. They do not depend on guidance."""
        fine, *features = self.backbone(image)
        finest = features[0].shape[-2:]
        weight, offsets = F.normalize(self.weight, dim=0), self.backbone.offsets[1:]
        embeddings = []
        for level, (x, gain) in enumerate(zip(features, self.gain, strict=True)):
            offset = (offsets[level] - offsets[0]) / STRIDE
            cells = upsample_cells(F.normalize(x, dim=1), 2**level, finest, offset)
            embeddings.append(F.normalize(cells * gain, dim=3) * weight[level])
        embedding = torch.cat(embeddings, dim=3)
        return Features(embedding, self.scorer.see(embedding), self.look(fine))

    def guide(self, embedding: Tensor, annotation: Tensor) -> Guidance:
        """Return the guidance of one shot per task; no encoder runs.

        embedding: (N, h, w, D). annotation: (N, K, H, W) in 0–1.
        """
        return self.pool(embedding, spread(annotation, embedding.shape[1:3], self.backbone.offsets[1]))

    def pool(self, embedding: Tensor, cells: Tensor) -> Guidance:
        """Return the guidance of one shot per task, annotated on the grid of features: `cells` (N, K, h, w)."""
        mean, present = pool(embedding, cells)
        places = find_places(*embedding.shape[1:3]).to(embedding).expand(len(embedding), -1, -1)
        return Guidance(mean, present, embedding.flatten(1, 2), compute_shares(cells), places)

    def segment(self, features: Features, guidance: Guidance, hint: Tensor) -> Tensor:
        """Return the scores (N, K, h4, w4) of each class at stride 4.

        hint: (N, K, 2, h, w), the previous frame's mask and the nearness of clicks on this picture.
        """
        matches = self.match(features.embedding, guidance, hint)
        seen, guide = features.seen, self.fuse(guidance, features.embedding.shape[1:3])
        if self.training:
            is_guided = (torch.rand(len(seen), 1, 1, 1, device=seen.device) >= FORGOTTEN).to(seen)
            seen, guide = seen * is_guided, guide * is_guided[..., None]
        return self.scorer(seen, features.fine, guide, matches)

    def fuse(self, guidance: Guidance, cells: Sequence[int]) -> Tensor:  # noqa: ARG002 - for a guide of each cell
        """Return the guide of each class for the scorer, (N, K, 1, 1, D): its mean, the same for all cells."""
        return guidance.mean[:, :, None, None]

    def foreground(self, embedding: Tensor, fine: Tensor) -> Tensor:
        """Return the scores (N, 2, h4, w4) of background and any object, by a scorer without guidance (thesis §4.4).

        This is the baseline that guidance must beat.
        """
        batch, height, width, length = embedding.shape
        nobody = embedding.new_zeros(batch, 1, 1, 1, length)
        nothing = embedding.new_zeros(batch, 1, MATCHES, height, width)
        score = self.objects(self.objects.see(embedding), fine, nobody, nothing)
        return torch.cat([torch.zeros_like(score), score], dim=1)

    def match(self, embedding: Tensor, guidance: Guidance, hint: Tensor) -> Tensor:
        """Return each cell's match with each class and its best rival, (N, K, MATCHES, h, w), for any class order."""
        batch, height, width, _ = embedding.shape
        ways, cells = guidance.mean.shape[1], guidance.keys.shape[1]
        sharpness = self.log_sharpness.clamp(max=5).exp()
        # Each stride is also matched alone: fine strides identify the object, coarse strides its class. A stride's part
        # of the unit embedding is as long as its weight; the division turns its products into cosines.
        means = F.normalize(guidance.mean[:, :, None] * self.strides, dim=3) / F.normalize(self.weight, dim=0)[:, None]
        keys = torch.cat([guidance.keys, means.flatten(1, 2)], dim=1)
        # The picture's cells are the rows of the first matrix, which is then read in memory order.
        likeness = embedding.flatten(1, 2) @ (sharpness * keys).transpose(1, 2)
        # Zeros, because the means do not vote; slicing them off would copy all likenesses.
        values = F.pad(guidance.values, (0, 3 * ways)).transpose(1, 2)
        votes = ((likeness + (LIFT - sharpness)).exp() @ values + FLOOR).transpose(1, 2)
        nearest = (votes.log() - LIFT) / 20
        cosines = (likeness[..., cells:] / sharpness).transpose(1, 2).unflatten(1, (ways, 3))
        matches = torch.cat([nearest[:, :, None], cosines], dim=2)
        share = (votes / votes.sum(dim=1, keepdim=True))[:, :, None]
        present = guidance.present.to(matches)[:, :, None, None].expand_as(share)
        # Relative to the picture's best match: that is the object, even if it looks unlike the support.
        own = torch.cat([matches, matches - matches.amax(dim=3, keepdim=True), present, hint.flatten(3)], dim=2)
        maps = torch.cat([own, find_rival(own), share, share - share.amax(dim=3, keepdim=True)], dim=2)
        return maps.view(batch, ways, MATCHES, height, width)


def find_places(height: int, width: int) -> Tensor:
    """Return the places of all cells of a grid, row by row: (M, 2), rows and columns, as shares of the grid."""
    rows, columns = ((torch.arange(side) + 0.5) / side for side in (height, width))
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).flatten(0, 1)


def upsample_cells(x: Tensor, factor: int, size: torch.Size, offset: float = 0.0) -> Tensor:
    """Upsample `x` (N, C, h, w) by `factor` to `size` (H, W), as (N, H, W, C), the layout that matching reads.

    Cell i moves to cell factor·i + offset, on which it is centred.
    """
    x = x.permute(0, 2, 3, 1)
    if factor == 1:
        return x
    batch, height, width, channels = x.shape
    rows, columns = (
        make_interpolation(coarse, factor, fine, offset).to(x)
        for coarse, fine in zip((height, width), size, strict=True)
    )
    return (rows @ (columns @ x).flatten(2)).view(batch, size[0], size[1], channels)


def settle(net: GuidedNet, features: Features, guidance: Guidance, logits: Tensor) -> Guidance:
    """Return `guidance` with one more shot: the pixels of the picture of which `logits` (N, K, H, W) are sure.

    If a class of `guidance` has no sure pixel, the shot is empty, as in runtime/refine.py.
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
        places=torch.cat([guidance.places, own.places], dim=1),
    )
