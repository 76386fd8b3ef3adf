"""Fully convolutional nets with skips (thesis §2.2–2.3), late fusion (§2.4) and the null background (§2.5.1)."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.families.fcn.fusion import SkipFusion, TopDown
from pixelwise.nets.feature_extractor import FeatureExtractor
from pixelwise.nets.receptive_fields import GridPlacement
from pixelwise.nets.upsampling import UpsamplingStep, derive_steps, make_interpolation, make_resizing, upsample


class FCN(nn.Module):
    """FCN-32s, -16s, -8s (or -4s) over any backbone: `strides` says which layers are scored.

    image: (N, C, H, W) float, RGB in 0–255 and any further inputs of the backbone. Returns logits (N, K, H, W). With
    `width` 0 the backbone's features are scored directly, as in the thesis; otherwise a `TopDown` of that width comes
    first. `scale` resizes the picture inside the net. Above 1, classes two pixels wide, such as poles, survive the
    backbone's first strides; at one half, a study takes a quarter of the time.
    """

    def __init__(
        self,
        backbone: FeatureExtractor,
        classes: int,
        width: int = 0,
        scale: float = 1.0,
        dropout: float = 0.0,
        fusion: Literal["sum", "max"] = "sum",
        stream_scales: Sequence[float] = (),
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.scale = scale
        channels = backbone.channels[::-1]
        strides, offsets = backbone.strides[::-1], backbone.offsets[::-1]
        down = derive_steps(strides, offsets)
        # One step per grid to the pixels: early stages of staged training end at a coarser grid.
        self.last = [UpsamplingStep(stride, offset) for stride, offset in zip(strides, offsets, strict=True)]
        self.top_down = TopDown(channels, down, width) if width else None
        widths = [width] * len(channels) if width else channels
        self.fusion = SkipFusion(widths, down, classes, dropout, fusion, stream_scales)

    def forward(self, image: Tensor) -> Tensor:
        """Logits on the image's own grid."""
        features = self.backbone(self.resize_input(image))[::-1]
        scores = self.fuse([self.compute_stream(index, x) for index, x in enumerate(features)])
        return self.to_pixels(scores, image.shape[-2:])

    @property
    def strides(self) -> tuple[int, ...]:
        """The scored strides, fine to coarse."""
        return self.backbone.strides

    @property
    def channels(self) -> list[int]:
        """The channels of the features at each stride, fine to coarse."""
        return self.backbone.channels

    @property
    def placements(self) -> list[GridPlacement]:
        """The grid of each stream, coarse to fine, then the grid of the fused scores."""
        # Resizing aligns the picture's edges, not the centres of its first pixels; hence the half pixels.
        streams = [
            GridPlacement(stride / self.scale, (offset + 0.5) / self.scale - 0.5) for stride, offset in self.last
        ]
        return [*streams, streams[-1]]

    def split_by_stride(self) -> list[nn.Sequential]:
        """The layers split by stride, fine to coarse. Run them in this order on the prepared picture."""
        return self.backbone.split_by_stride()

    def prepare(self, image: Tensor) -> Tensor:
        """The normalised input of the first part of `split_by_stride`."""
        return self.backbone.normalise(self.resize_input(image))

    def resize_input(self, image: Tensor) -> Tensor:
        """The picture resized by `scale`, as the backbone sees it."""
        if self.scale == 1:
            return image
        return F.interpolate(
            image, size=self.compute_input_size(image.shape[-2:]), mode="bilinear", align_corners=False
        )

    def compute_input_size(self, size: Sequence[int]) -> list[int]:
        """The size (H, W) of the picture that the backbone sees, for an image of `size`."""
        return [torch.sym_int(side * self.scale) for side in size]

    def compute_stream(self, index: int, features: Tensor) -> Tensor:
        """The input of `fuse` from the features of stride `index` alone, counted from the coarsest."""
        return (
            self.top_down.project_own(index, features) if self.top_down else self.fusion.score_stream(index, features)
        )

    def fuse(self, streams: Sequence[Tensor]) -> Tensor:
        """Fuse the streams, given coarse to fine, to scores on the finest active grid."""
        if self.top_down:
            return self.fusion(self.top_down.carry_down(streams))
        return self.fusion.combine(streams[: self.fusion.active])

    def to_pixels(self, scores: Tensor, size: Sequence[int]) -> Tensor:
        """Upsample scores on the finest active grid to logits for every pixel of an image of `size` (H, W)."""
        factor, offset = self.last[self.fusion.active - 1]
        if self.scale == 1:
            return upsample(scores, factor, size, offset)
        # Up to the net's input and back to the picture in one step, which does not make the large map in between.
        rows, columns = (
            (make_resizing(given, side) @ make_interpolation(cells, factor, given, offset)).to(scores)
            for cells, given, side in zip(scores.shape[-2:], self.compute_input_size(size), size, strict=True)
        )
        return rows @ (scores @ columns.T)


class LateFusion(nn.Module):
    """Average the scores of two nets, one on the colours and one on the HHA encoding of depth (thesis §2.4).

    image: (N, 6, H, W) float, RGB then HHA in 0–255. Returns logits (N, K, H, W). Both nets are trained end to end.
    """

    def __init__(self, colour: nn.Module, depth: nn.Module) -> None:
        super().__init__()
        self.colour, self.depth = colour, depth

    def forward(self, image: Tensor) -> Tensor:
        """The mean of both nets' logits."""
        logits: Tensor = 0.5 * (self.colour(image[:, :3]) + self.depth(image[:, 3:]))
        return logits


class NullBackground(nn.Module):
    """Fix the score of class 0, the background, at zero, so that only other classes are learned (thesis §2.5.1).

    net: returns logits (N, K − 1, H, W). Returns (N, K, H, W).
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> Tensor:
        """Logits with a zero channel in front."""
        logits = self.net(image)
        return torch.cat([torch.zeros_like(logits[:, :1]), logits], dim=1)
