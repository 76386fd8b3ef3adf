"""Seeded synthetic inputs, used to compare exported graphs with torch and to time engines without data."""

import torch
import torch.nn.functional as F
from torch import Tensor


def make_images(batch: int, height: int, width: int) -> Tensor:
    """Pictures (N, H, W, 3) uint8 with structure at every scale, as photographs have; equal for equal arguments."""
    generator = torch.Generator().manual_seed(batch * height * width)
    total = torch.zeros(batch, 3, height, width)
    for octave in range(6):
        cells = 2 ** (octave + 1)
        grid = torch.rand(batch, 3, cells, cells, generator=generator) - 0.5
        total += F.interpolate(grid, size=(height, width), mode="bilinear") / 1.5**octave
    return (total * 100 + 127).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def make_depths(batch: int, height: int, width: int) -> Tensor:
    """Depth maps (N, H, W) int32 in centimetres, some of it unknown (0); equal for equal arguments."""
    grey = make_images(batch, height, width)[..., 0].to(torch.int32)
    return torch.where(grey < 20, 0, 100 + 20 * grey)
