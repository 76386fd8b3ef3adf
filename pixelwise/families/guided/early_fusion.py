"""Early fusion: annotations enter before the encoder, so every change of them costs a full pass (thesis §4.3.1).

These are baselines for late fusion: annotations stacked on the picture (DIOS), and the picture masked by its positives
(OSLSM). A task has one negative and one positive class.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.fcn.fusion import conv_norm_relu
from pixelwise.families.guided.net import FINE
from pixelwise.families.guided.runtime.annotations import STRIDE
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.upsampling import upsample

# Pixels by which annotations are dilated on all sides, as in DIOS, so that a dot survives the first strides.
DILATION = 5
# Logits of an episode, with and without guidance.
Episode = tuple[Tensor, Tensor]


class EarlyFusion(nn.Module, ABC):
    """Base of both nets: an encoder, the pooled and tiled support, and a scorer as large as the late net's."""

    def __init__(self, backbone: Backbone, hidden: int) -> None:
        super().__init__()
        self.backbone = backbone
        fine, *channels = backbone.channels
        details = hidden // 2
        self.look = conv_norm_relu(fine, details)
        self.project = nn.ModuleList(nn.Conv2d(count, hidden, kernel_size=1) for count in channels)
        self.tiled = nn.Linear(hidden, hidden)
        self.coarse = nn.Sequential(
            nn.ReLU(),
            conv_norm_relu(hidden, hidden, 3),
            conv_norm_relu(hidden, hidden, 5, groups=hidden),
            conv_norm_relu(hidden, hidden, 3),
        )
        self.fine = nn.Sequential(conv_norm_relu(hidden + details, details), conv_norm_relu(details, details, 3))
        self.score = nn.Conv2d(details, 2, kernel_size=1)

    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, C, h, w) at stride 8 and details (N, C/2, h4, w4) at stride 4 of backbone inputs."""
        fine, *features = self.backbone(inputs)
        offsets = self.backbone.offsets[1:]
        maps = [
            upsample(project(x), 2**level, features[0].shape[-2:], (offsets[level] - offsets[0]) / STRIDE)
            for level, (x, project) in enumerate(zip(features, self.project, strict=True))
        ]
        return torch.stack(maps).sum(dim=0), self.look(fine)

    def guide(self, support: Tensor, annotation: Tensor) -> Tensor:
        """Return the guide (N, C) of annotated pictures (N, H, W, 3) uint8: pooled over all their cells."""
        seen, _ = self.encode(self.fuse(support, annotation))
        return seen.mean(dim=(2, 3))

    @abstractmethod
    def fuse(self, support: Tensor, annotation: Tensor) -> Tensor:
        """Return the backbone's inputs for annotated pictures (N, H, W, 3) uint8."""

    @abstractmethod
    def show(self, query: Tensor) -> Tensor:
        """Return the backbone's inputs for pictures (N, H, W, 3) uint8 without annotations."""

    def segment_query(self, query: Tensor, guide: Tensor) -> Tensor:
        """Return logits (N, 2, H, W) of pictures (N, H, W, 3) uint8 without annotations."""
        return self.segment(*self.encode(self.show(query)), guide, *query.shape[1:3])

    def segment(self, seen: Tensor, fine: Tensor, guide: Tensor, height: int, width: int) -> Tensor:
        """Return logits (N, 2, H, W) of encoded queries. guide: (N, C), tiled."""
        coarse = self.coarse(seen + self.tiled(guide)[..., None, None])
        start, offset = self.backbone.offsets[:2]
        both = torch.cat([upsample(coarse, STRIDE // FINE, fine.shape[-2:], (offset - start) / FINE), fine], dim=1)
        return upsample(self.score(self.fine(both)), FINE, (height, width), start)

    def segment_together(self, picture: Tensor, annotation: Tensor) -> Tensor:
        """Return logits (N, 2, H, W) of the annotated picture itself: interactive segmentation.

        picture: (N, H, W, 3) uint8; annotation: (N, 2, H, W) in 0–1, negative first.
        """
        logits: Tensor = self(picture, annotation, picture, annotation)[0]
        return logits


class StackedGuide(EarlyFusion):
    """Annotations as two more channels of the picture, φ(x ⊕ + ⊕ −) (thesis §4.3.1; Xu et al., DIOS).

    The thesis uses a second encoder for queries, which have no annotations. Here a query's annotations are empty and
    one encoder serves both, so that a picture that is its own support costs one pass, as in DIOS.
    """

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> Episode:  # noqa: ARG002
        """Return logits (N, 2, H, W) of an episode, with and without guidance. Clicks are annotations, not a hint."""
        is_support = (support == query).flatten(1).all(dim=1).view(-1, 1, 1, 1)
        guide = self.guide(support, annotation)
        seen, fine = self.encode(self.fuse(query, annotation * is_support))
        guided = self.segment(seen, fine, guide, *annotation.shape[-2:])
        return guided, self.segment_query(query, torch.zeros_like(guide))

    def fuse(self, support: Tensor, annotation: Tensor) -> Tensor:
        """Stack the picture and its dilated annotations, scaled to −1 and 1: (N, 5, H, W)."""
        return torch.cat([to_planes(support), 2 * dilate(annotation) - 1], dim=1)

    def show(self, query: Tensor) -> Tensor:
        """Stack the picture and empty annotations: (N, 5, H, W)."""
        picture = to_planes(query)
        return torch.cat([picture, torch.full_like(picture[:, :2], -1.0)], dim=1)

    def segment_together(self, picture: Tensor, annotation: Tensor) -> Tensor:
        """Return the same as in EarlyFusion, by a single pass."""
        seen, fine = self.encode(self.fuse(picture, annotation))
        return self.segment(seen, fine, seen.mean(dim=(2, 3)), *annotation.shape[-2:])


class MaskedGuide(EarlyFusion):
    """The picture masked by its positives, φ(x · +) (thesis §4.3.1; Shaban et al., OSLSM).

    Unknown pixels count as negative, as the mask is binary.
    """

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> Episode:  # noqa: ARG002
        """Return logits (N, 2, H, W) of an episode, with and without guidance."""
        guide, size = self.guide(support, annotation), annotation.shape[-2:]
        seen, fine = self.encode(self.show(query))
        return self.segment(seen, fine, guide, *size), self.segment(seen, fine, torch.zeros_like(guide), *size)

    def fuse(self, support: Tensor, annotation: Tensor) -> Tensor:
        """Return the picture with the mean colour where it is no positive; normalisation turns that into zero."""
        mask = dilate(annotation[:, 1:])
        return mask * to_planes(support) + (1 - mask) * self.backbone.mean

    def show(self, query: Tensor) -> Tensor:
        """Return the picture as it is."""
        return to_planes(query)


def to_planes(picture: Tensor) -> Tensor:
    """Convert (N, H, W, 3) uint8 to (N, 3, H, W) float."""
    return picture.permute(0, 3, 1, 2).float()


def dilate(annotation: Tensor) -> Tensor:
    """Dilate annotations (N, K, H, W) by DILATION pixels."""
    return F.max_pool2d(annotation, 2 * DILATION + 1, stride=1, padding=DILATION)


class Support(nn.Module):
    """Map a picture (N, H, W, 3) uint8 and its annotation (N, 2, H, W) to a guide (N, C)."""

    def __init__(self, net: EarlyFusion) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, annotation: Tensor) -> Tensor:
        """Return the guide for other pictures."""
        return self.net.guide(image, annotation)


class Query(nn.Module):
    """Map a picture (N, H, W, 3) uint8 and a guide (N, C) to logits (N, 2, H, W)."""

    def __init__(self, net: EarlyFusion) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, guide: Tensor) -> Tensor:
        """Return the logits of a picture without annotations."""
        return self.net.segment_query(image, guide)


class Together(nn.Module):
    """Map a picture (N, H, W, 3) uint8 and its annotation (N, 2, H, W) to logits (N, 2, H, W)."""

    def __init__(self, net: EarlyFusion) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, annotation: Tensor) -> Tensor:
        """Return logits (N, 2, H, W) of the annotated picture itself."""
        return self.net.segment_together(image, annotation)
