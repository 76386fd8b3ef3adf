"""Early fusion: the annotations enter before the encoder, and every change of them costs a full pass (thesis §4.3.1).

The guides that the late ones are measured against: annotations stacked on the picture (DIOS), and the picture masked by
its positives (OSLSM). One task at a time, of a negative and a positive class.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.fcn.fusion import conv_norm_relu
from pixelwise.families.guided.net import FINE
from pixelwise.families.guided.runtime.annotations import STRIDE
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.upsampling import upsample

# Pixels by which annotations are dilated on all sides, as DIOS has it: a dot must outlive the first strides.
DILATION = 5
# Logits of an episode, and those without guidance.
Episode = tuple[Tensor, Tensor]


class EarlyFusion(nn.Module):
    """What both guides share: an encoder, the pooled and tiled support, and a scorer of the late net's size."""

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
        """Features (N, C, h, w) at stride 8 and details (N, C, h4, w4) at stride 4 of what the backbone takes."""
        fine, *features = self.backbone(inputs)
        parts = [
            upsample(project(x), 2**place, features[0].shape[-2:])
            for place, (x, project) in enumerate(zip(features, self.project, strict=True))
        ]
        return torch.stack(parts).sum(dim=0), self.look(fine)

    def segment(self, seen: Tensor, fine: Tensor, support: Tensor, height: int, width: int) -> Tensor:
        """Logits (N, 2, H, W) of encoded queries; support: (N, C, h, w), pooled over all its cells and tiled."""
        coarse = self.coarse(seen + self.tiled(support.mean(dim=(2, 3)))[..., None, None])
        both = torch.cat([upsample(coarse, STRIDE // FINE, fine.shape[-2:]), fine], dim=1)
        return upsample(self.score(self.fine(both)), FINE, (height, width))

    def together(self, picture: Tensor, annotation: Tensor) -> Tensor:
        """Logits (N, 2, H, W) of the very picture that is annotated: interactive segmentation.

        picture: (N, H, W, 3) uint8; annotation: (N, 2, H, W) in 0–1, negative first.
        """
        logits: Tensor = self(picture, annotation, picture, annotation)[0]
        return logits


class StackedGuide(EarlyFusion):
    """Annotations as two more channels of the picture, φ(x ⊕ + ⊕ −) (thesis §4.3.1; Xu et al., DIOS).

    The thesis needs a second encoder for queries without annotations. Here theirs are empty, and one encoder serves
    both; a picture that is its own support then costs one pass, as in DIOS.
    """

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> Episode:  # noqa: ARG002
        """Logits (N, 2, H, W) of an episode, and without guidance; clicks come with the annotation, not as a hint."""
        own = (support == query).flatten(1).all(dim=1).view(-1, 1, 1, 1)
        told, _ = self.encode(stacked(support, annotation))
        seen, fine = self.encode(stacked(query, annotation * own))
        size = annotation.shape[-2:]
        bare, details = self.encode(stacked(query, torch.zeros_like(annotation)))
        return self.segment(seen, fine, told, *size), self.segment(bare, details, torch.zeros_like(told), *size)

    def together(self, picture: Tensor, annotation: Tensor) -> Tensor:
        """As in EarlyFusion, by a single pass."""
        seen, fine = self.encode(stacked(picture, annotation))
        return self.segment(seen, fine, seen, *annotation.shape[-2:])


class MaskedGuide(EarlyFusion):
    """The picture with all but its positives left out, φ(x · +) (thesis §4.3.1; Shaban et al., OSLSM).

    What is unknown counts as negative: the guide knows no third value.
    """

    def forward(self, support: Tensor, annotation: Tensor, query: Tensor, hint: Tensor) -> Episode:  # noqa: ARG002
        """Logits (N, 2, H, W) of an episode, and without guidance."""
        kept, picture = dilated(annotation[:, 1:]), planes(support)
        # The mean colour, which the encoder's normalisation makes zero.
        told, _ = self.encode(kept * picture + (1 - kept) * self.backbone.mean)
        seen, fine = self.encode(planes(query))
        size = annotation.shape[-2:]
        return self.segment(seen, fine, told, *size), self.segment(seen, fine, torch.zeros_like(told), *size)


def planes(picture: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 as (N, 3, H, W) float."""
    return picture.permute(0, 3, 1, 2).float()


def stacked(picture: Tensor, annotation: Tensor) -> Tensor:
    """The picture and its dilated annotations, −1 and 1 as its normalised colours are; (N, 5, H, W)."""
    return torch.cat([planes(picture), 2 * dilated(annotation) - 1], dim=1)


def dilated(annotation: Tensor) -> Tensor:
    """Annotations (N, K, H, W) grown by DILATION pixels."""
    return F.max_pool2d(annotation, 2 * DILATION + 1, stride=1, padding=DILATION)


class Together(nn.Module):
    """The one graph of a guide by early fusion: picture (N, H, W, 3) uint8 and annotation (N, 2, H, W) to logits."""

    def __init__(self, net: EarlyFusion) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, annotation: Tensor) -> Tensor:
        """Logits (N, 2, H, W) of the annotated picture itself."""
        return self.net.together(image, annotation)
