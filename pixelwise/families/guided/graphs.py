"""The parts of a guided net as they ship, processing inside: `encode`, `guide`, `segment` and `foreground`."""

from torch import Tensor, nn

from pixelwise.families.guided.net import FINE, Features, Guidance, GuidedNet
from pixelwise.nets.upsampling import upsample_by_products


class Encode(nn.Module):
    """image (N, H, W, 3) uint8 RGB to embedding (N, h, w, D), seen (N, 2C, h, w) and fine (N, C/2, h4, w4)."""

    def __init__(self, net: GuidedNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The features that guidance and masks are made of, once a picture."""
        features = self.net.encode(image.permute(0, 3, 1, 2).float())
        return features.embedding, features.seen, features.fine


class Guide(nn.Module):
    """embedding (1, h, w, D) and annotated cells (1, K, h, w) to one shot's mean, present and values; no encoder runs.

    `runtime/annotations.py` brings clicks and masks to cells: a click needs no pass over the picture.
    """

    def __init__(self, net: GuidedNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, embedding: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What one annotated picture says of each class; its keys are the embedding itself."""
        shot = self.net.pool(embedding, cells)
        return shot.mean, shot.present, shot.values


class Segment(nn.Module):
    """Features of a picture and guidance to logits (1, K, H, W) on the grid of `size`, an (H, W) array."""

    def __init__(self, net: GuidedNet) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        embedding: Tensor,
        seen: Tensor,
        fine: Tensor,
        mean: Tensor,
        present: Tensor,
        keys: Tensor,
        values: Tensor,
        hint: Tensor,
        size: Tensor,
    ) -> Tensor:
        """The scores of every class at every pixel."""
        scores = self.net.segment(Features(embedding, seen, fine), Guidance(mean, present, keys, values), hint)
        return upsample_by_products(scores, FINE, size.shape[-2:])


class Foreground(nn.Module):
    """Features of a picture, and no guidance, to logits (1, 2, H, W) of background and any object."""

    def __init__(self, net: GuidedNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, embedding: Tensor, fine: Tensor, size: Tensor) -> Tensor:
        """The scores of both at every pixel of the grid of `size`, an (H, W) array."""
        return upsample_by_products(self.net.foreground(embedding, fine), FINE, size.shape[-2:])
