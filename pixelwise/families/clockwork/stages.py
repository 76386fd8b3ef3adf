"""A net cut into stages that run by clocks of their own: the clockwork FCN (thesis §3.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pixelwise.errors import ParamsError
from pixelwise.families.fcn.net import FCN
from pixelwise.families.fcn.reference import ReferenceFCN
from pixelwise.nets.pixel_labeller import assemble_input

# Nets that can be cut: both offer their layers in pieces, and their fusion apart.
Skips = FCN | ReferenceFCN


class Stage(nn.Module):
    """One stage of a net: from the features of the stage before, or the picture, to its own (thesis §3.3.1).

    strides: those of the net that it computes, fine to coarse. x: image (N, H, W, 3) uint8 RGB for the first stage,
    else features (N, C, h, w). Returns its last features, which the next stage takes and the last one leaves out, and
    its streams, coarse to fine: what the fusion takes of it (for a net without top-down path, class scores).
    """

    def __init__(self, net: Skips, strides: Sequence[int]) -> None:
        super().__init__()
        known = list(net.strides)
        places = [known.index(stride) for stride in strides]
        self.net = net
        pieces = net.split_by_stride()
        self.pieces = nn.ModuleList(pieces[place] for place in places)
        # In the fusion the coarsest comes first.
        self.streams = [len(known) - 1 - place for place in places]
        self.is_first, self.is_last = places[0] == 0, places[-1] == len(known) - 1

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features, where a stage follows, and streams."""
        if self.is_first:
            x = self.net.prepared(assemble_input({"image": x}))
        streams: list[Tensor] = []
        for piece, place in zip(self.pieces, self.streams, strict=True):
            x = piece(x)
            streams.insert(0, self.net.stream(place, x))
        return tuple(streams) if self.is_last else (x, *streams)


class Fuse(nn.Module):
    """The streams of all stages, coarse to fine, as scores (N, K, h, w) on the finest grid."""

    def __init__(self, net: Skips) -> None:
        super().__init__()
        self.net = net

    def forward(self, *streams: Tensor) -> Tensor:
        """Fused scores."""
        return self.net.fuse(streams)


class Decode(nn.Module):
    """The most probable class of every pixel, (N, H, W) uint8, of scores on the finest grid.

    image: (N, H, W, 3), for its size alone.
    """

    def __init__(self, net: Skips) -> None:
        super().__init__()
        self.net = net

    def forward(self, scores: Tensor, image: Tensor) -> Tensor:
        """Labels."""
        return self.net.to_pixels(scores, image.shape[1:3]).argmax(dim=1).to(torch.uint8)


def cut(strides: Sequence[int], borders: Sequence[int]) -> list[list[int]]:
    """The strides of each stage, fine to coarse, where a stage ends at each of `borders`.

    Raises ParamsError where a border is no stride of the net or leaves the last stage empty.
    """
    ordered = sorted(strides)
    for border in borders:
        if border not in ordered[:-1]:
            raise ParamsError(f"network.borders: found {border}, expected some of {ordered[:-1]}")
    ends = [*sorted(set(borders)), ordered[-1]]
    starts = [0, *ends]
    return [[stride for stride in ordered if low < stride <= high] for low, high in zip(starts, ends, strict=False)]
