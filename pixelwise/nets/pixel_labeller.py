"""The net as it ships: what goes in as files hold it, what comes out as label maps."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def encode_depth(depth: Tensor) -> Tensor:
    """Depth (N, H, W) in centimetres as an input channel (N, 1, H, W): log of its millimetres, less the mean that the
    published net takes off NYUDv2's (notes on thesis §2.4). 0, which is unknown, becomes that mean.
    """
    known = depth > 0
    return torch.where(known, (10.0 * depth.float()).clamp_min(1.0).log() - 7.844, 0.0).unsqueeze(1)


class PixelLabeller(nn.Module):
    """The net as it ships: pictures in, a label a pixel out, with everything between inside the graph.

    `inputs` names what is taken, in order: image (N, H, W, 3) uint8 RGB, depth (N, H, W) centimetres, hha (N, H, W, 3)
    uint8. `heads`: name -> number of its classes; the logits hold them one after the other. Returns a map (N, H, W)
    uint8 a head.
    """

    def __init__(
        self, net: nn.Module, inputs: Sequence[str] = ("image",), heads: Mapping[str, int] | None = None
    ) -> None:
        super().__init__()
        self.net, self.inputs = net, tuple(inputs)
        self.sizes = list(heads.values()) if heads else []

    def forward(self, first: Tensor, second: Tensor | None = None) -> tuple[Tensor, ...] | Tensor:
        """The most probable class of every pixel."""
        given = [first] if second is None else [first, second]
        logits = self.net(assemble_input(dict(zip(self.inputs, given, strict=True))))
        if len(self.sizes) < 2:
            return logits.argmax(dim=1).to(torch.uint8)
        return tuple(part.argmax(dim=1).to(torch.uint8) for part in logits.split(self.sizes, dim=1))


def assemble_input(given: Mapping[str, Tensor]) -> Tensor:
    """What a net takes, (N, C, H, W) float in channels-last memory, from pictures and depth maps by name.

    A permuted picture already lies so, so that a single one costs no copy but the conversion.
    """
    parts = [encode_depth(x) if name == "depth" else x.permute(0, 3, 1, 2).float() for name, x in given.items()]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
