"""Early fusion: annotations enter before the encoder, so every change of them costs a full pass (thesis §4.3.1).

These are baselines for late fusion: annotations stacked on the picture (DIOS), and the picture masked by its positives
(OSLSM). A task has one negative and one positive class.
"""

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


class EarlyFusion(nn.Module):
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

    def segment(self, seen: Tensor, fine: Tensor, support: Tensor, height: int, width: int) -> Tensor:
        """Return logits (N, 2, H, W) of encoded queries. support: (N, C, h, w), pooled over all its cells and tiled."""
        coarse = self.coarse(seen + self.tiled(support.mean(dim=(2, 3)))[..., None, None])
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
        pooled, _ = self.encode(stack(support, annotation))
        seen, fine = self.encode(stack(query, annotation * is_support))
        size = annotation.shape[-2:]
        bare, details = self.encode(stack(query, torch.zeros_like(annotation)))
        return self.segment(seen, fine, pooled, *size), self.segment(bare, details, torch.zeros_like(pooled), *size)

    def segment_together(self, picture: Tensor, annotation: Tensor) -> Tensor:
        """Return the same as in EarlyFusion, by a single pass."""
        seen, fine = self.encode(stack(picture, annotation))
        return self.segment(seen, fine, seen, *annotation.shape[-2:])


class MaskedGuide(EarlyFusion):
    """The picture masked by its positives, φ(x · +) (thesis §4.3.1; Shaban et al., OSLSM).

    Unknown pixels count as negative, as the mask is binary.
    """

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> Episode:  # noqa: ARG002
        """Return logits (N, 2, H, W) of an episode, with and without guidance."""
        mask, picture = dilate(annotation[:, 1:]), to_planes(support)
        # Masked pixels get the mean colour, which the encoder's normalisation turns into zero.
        pooled, _ = self.encode(mask * picture + (1 - mask) * self.backbone.mean)
        seen, fine = self.encode(to_planes(query))
        size = annotation.shape[-2:]
        return self.segment(seen, fine, pooled, *size), self.segment(seen, fine, torch.zeros_like(pooled), *size)


def to_planes(picture: Tensor) -> Tensor:
    """Convert (N, H, W, 3) uint8 to (N, 3, H, W) float."""
    return picture.permute(0, 3, 1, 2).float()


def stack(picture: Tensor, annotation: Tensor) -> Tensor:
    """Stack the picture and its dilated annotations, scaled to −1 and 1: (N, 5, H, W)."""
    return torch.cat([to_planes(picture), 2 * dilate(annotation) - 1], dim=1)


def dilate(annotation: Tensor) -> Tensor:
    """Dilate annotations (N, K, H, W) by DILATION pixels."""
    return F.max_pool2d(annotation, 2 * DILATION + 1, stride=1, padding=DILATION)


class Together(nn.Module):
    """The only graph of an early-fusion net: picture (N, H, W, 3) uint8 and annotation (N, 2, H, W) to logits."""

    def __init__(self, net: EarlyFusion) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, annotation: Tensor) -> Tensor:
        """Return logits (N, 2, H, W) of the annotated picture itself."""
        return self.net.segment_together(image, annotation)
