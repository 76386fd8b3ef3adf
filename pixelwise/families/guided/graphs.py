"""The exported graphs of a guided model: `encode`, `guide`, `segment`, `foreground` and `click`."""

from torch import Tensor, nn

from pixelwise.families.guided.click_net import ClickNet
from pixelwise.families.guided.net import Features, Guidance, GuidedNet


class Encode(nn.Module):
    """Map image (N, H, W, 3) uint8 RGB to embedding (N, h, w, D), seen (N, 2C, h, w) and fine (N, C/2, h4, w4)."""

    def __init__(self, net: GuidedNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features for guidance and masks; runs once per picture."""
        features = self.net.encode(image.permute(0, 3, 1, 2).float())
        return features.embedding, features.seen, features.fine


class Guide(nn.Module):
    """Map embedding (1, h, w, D) and annotated cells (1, K, h, w) to a shot's mean, present and values.

    No encoder runs. `runtime/annotations.py` resamples clicks and masks to cells: a click needs no pass over the
    picture.
    """

    def __init__(self, net: GuidedNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, embedding: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the shot of one annotated picture without its keys, which are the embedding itself."""
        shot = self.net.pool(embedding, cells)
        return shot.mean, shot.present, shot.values


class Segment(nn.Module):
    """Map a picture's features and guidance to logits (1, K, H, W). Only the shape of `size`, (H, W), counts."""

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
        places: Tensor | None = None,
    ) -> Tensor:
        """Return the logits of each class at each pixel. Only a guide by places takes `places`."""
        guidance = Guidance(mean, present, keys, values, keys.new_empty(0) if places is None else places)
        return self.net.enlarge(self.net.segment(Features(embedding, seen, fine), guidance, hint), size.shape[-2:])


class Foreground(nn.Module):
    """Map a picture's features, without guidance, to logits (1, 2, H, W) of background and any object."""

    def __init__(self, net: GuidedNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, embedding: Tensor, fine: Tensor, size: Tensor) -> Tensor:
        """Return the logits of both at each pixel. Only the shape of `size`, (H, W), counts."""
        return self.net.enlarge(self.net.foreground(embedding, fine), size.shape[-2:])


class Click(nn.Module):
    """Map a view (1, H, W, 3) uint8 RGB, its clicks (1, 2, H, W) and mask before (1, H, W) to logits (1, H, W)."""

    def __init__(self, net: ClickNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, disks: Tensor, before: Tensor) -> Tensor:
        """Return the logits of the object after the clicks."""
        logits: Tensor = self.net(image, disks, before)[0]
        return logits
