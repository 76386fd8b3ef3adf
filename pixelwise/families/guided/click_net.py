"""The net that segments a clicked picture: clicks and the mask before them enter early (beyond the thesis).

Late guidance shares one encoding among all pictures, so a click can only pick among features that know nothing of it.
The picture that is clicked is worth a pass of its own for each click (Sofiiuk et al., RITM, 2021).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.fcn.fusion import TopDown, conv_norm_relu
from pixelwise.nets.backbones import Backbone
from pixelwise.nets.upsampling import derive_steps, upsample

STRIDES = (4, 8, 16, 32)


class ClickNet(nn.Module):
    """A backbone that gets clicks and the previous mask at stride 4, and a decoder to one logit a pixel.

    What precedes stride 4 keeps ImageNet's weights: it does not depend on clicks, so the rounds of a training step
    share it. `width` is the number of channels of the decoder.
    """

    def __init__(self, backbone: Backbone, width: int) -> None:
        """Raises ModelError where the backbone is no chain of modules."""
        super().__init__()
        backbone.freeze(STRIDES[0])
        self.backbone = backbone
        fine, *_ = backbone.channels
        self.annotations = nn.Sequential(
            nn.Conv2d(3, width // 4, kernel_size=3, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width // 4, fine, kernel_size=3, stride=2, padding=1),
        )
        steps = derive_steps(STRIDES[::-1], backbone.offsets[::-1])
        self.decoder = TopDown(backbone.channels[::-1], steps, width)
        half = width // 2
        self.score = nn.Sequential(
            conv_norm_relu(width + fine, half),
            conv_norm_relu(half, half, 5, groups=half),
            nn.Conv2d(half, 1, kernel_size=1),
        )

    def forward(
        self, image: Tensor, disks: Tensor, before: Tensor, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the logits (N, H, W) of the object, and the picture's features at stride 4.

        image: (N, H, W, 3) uint8. disks: (N, 2, H, W), of `draw_disks`. before: (N, H, W), the probability of the
        object before the last click, zeros without one. seen: the features, if an earlier round has returned them.
        """
        first, *rest = self.backbone.split_by_stride()
        if seen is None:
            seen = first(self.backbone.normalise(image.permute(0, 3, 1, 2).float()))
        marks = self.annotations(torch.cat([disks.float(), before[:, None]], dim=1))
        # A backbone that leaves out what does not fill a tile has fewer cells.
        marks = marks[..., : seen.shape[2], : seen.shape[3]]
        maps = [seen + marks]
        for stage in rest:
            maps.append(stage(maps[-1]))
        mixed = self.decoder(maps[::-1])[-1]
        scores = self.score(torch.cat([mixed, marks], dim=1))
        logits = upsample(scores, STRIDES[0], image.shape[1:3], self.backbone.offsets[0])
        return logits[:, 0], seen


def compute_click_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the normalised focal loss of logits (N, H, W) against `truth` (N, H, W), 255 void (Sofiiuk et al., 2019).

    The focal weights of each picture have mean 1, so that the pixels still wrong of a good mask count in full.
    """
    known = truth <= 1
    target = (truth == 1).float()
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weights = (1 - torch.exp(-losses.detach())) ** 2 * known
    share = known.sum(dim=(1, 2)) / weights.sum(dim=(1, 2)).clamp_min(1e-4)
    per_picture = (weights * share[:, None, None] * losses).sum(dim=(1, 2)) / known.sum(dim=(1, 2)).clamp_min(1)
    return per_picture.mean()
