"""A net cut into stages, each with its own clock: the clockwork FCN (thesis §3.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pixelwise.errors import ParamsError
from pixelwise.families.fcn.net import FCN
from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.nets.pixel_labeller import assemble_input, compute_confidence

# Nets that can be cut: both have methods for their layers by stride and for their fusion.
Skips = FCN | ReferenceFCN


class Stage(nn.Module):
    """One stage of a net: maps the picture, or the previous stage's features, to its own features (thesis §3.3.1).

    strides: the net's strides that it computes, fine to coarse. x: image (N, H, W, 3) uint8 RGB for the first stage,
    else features (N, C, h, w). Returns its last features for the next stage (the last stage omits them), then its
    streams, coarse to fine: the inputs of the fusion (class scores, for a net without top-down path).
    """

    def __init__(self, net: Skips, strides: Sequence[int]) -> None:
        super().__init__()
        all_strides = list(net.strides)
        indices = [all_strides.index(stride) for stride in strides]
        self.net = net
        pieces = net.split_by_stride()
        self.pieces = nn.ModuleList(pieces[index] for index in indices)
        # Positions in the fusion, where the coarsest stream comes first.
        self.streams = [len(all_strides) - 1 - index for index in indices]
        self.is_first, self.is_last = indices[0] == 0, indices[-1] == len(all_strides) - 1

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the features, unless this is the last stage, and the streams."""
        if self.is_first:
            x = self.net.prepare(assemble_input({"image": x}))
        streams: list[Tensor] = []
        for piece, stream in zip(self.pieces, self.streams, strict=True):
            x = piece(x)
            streams.insert(0, self.net.compute_stream(stream, x))
        return tuple(streams) if self.is_last else (x, *streams)


class Fuse(nn.Module):
    """Fuse the streams of all stages, coarse to fine, to scores (N, K, h, w) on the finest grid."""

    def __init__(self, net: Skips) -> None:
        super().__init__()
        self.net = net

    def forward(self, *streams: Tensor) -> Tensor:
        """Return the fused scores."""
        return self.net.fuse(streams)


class Undecoded(nn.Module):
    """The whole net up to its fused scores. image: (N, H, W, 3) uint8 RGB. Returns (N, K, h, w) on the finest grid."""

    def __init__(self, net: Skips) -> None:
        super().__init__()
        self.stage, self.fuse = Stage(net, net.strides), Fuse(net)

    def forward(self, image: Tensor) -> Tensor:
        """Return the fused scores."""
        scores: Tensor = self.fuse(*self.stage(image))
        return scores


class Decode(nn.Module):
    """Map scores on the finest grid to the most probable class of each pixel, (N, H, W) uint8, and its probability.

    image: (N, H, W, 3); only its size is used. Without a `temperature` it gives no probability.
    """

    def __init__(self, net: Skips, temperature: float | None = None) -> None:
        super().__init__()
        self.net, self.temperature = net, temperature

    def forward(self, scores: Tensor, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return the labels and, with a temperature, their confidence."""
        logits = self.net.to_pixels(scores, image.shape[1:3])
        labels = logits.argmax(dim=1).to(torch.uint8)
        return labels if self.temperature is None else (labels, compute_confidence(logits, self.temperature))


def split_strides(strides: Sequence[int], borders: Sequence[int]) -> list[list[int]]:
    """Return the strides of each stage, fine to coarse, with a stage ending at each of `borders`.

    Raises ParamsError if a border is no stride of the net or leaves the last stage empty.
    """
    ordered = sorted(strides)
    for border in borders:
        if border not in ordered[:-1]:
            raise ParamsError(f"network.borders: found {border}, expected some of {ordered[:-1]}")
    ends = [*sorted(set(borders)), ordered[-1]]
    starts = [0, *ends]
    return [[stride for stride in ordered if low < stride <= high] for low, high in zip(starts, ends, strict=False)]
