"""Annotations on the grid of features: every annotated pixel has weight one, wherever it lies (thesis §4.3.1)."""

import torch
from torch import Tensor

from pixelwise.nets.upsampling import make_interpolation


def spread(annotation: Tensor, stride: int) -> Tensor:
    """Resample annotation maps (N, K, H, W) to the grid of features at `stride`, (N, K, ceil(H/s), ceil(W/s)).

    Each pixel's value is divided among the cells around it by bilinear weights. They sum to one, also at borders, so
    that a single dot counts as much there as inside. Cell i is centred on pixel stride·i.
    """
    # Not -(-side // stride): in the exported graph, division rounds towards zero.
    rows, columns = (
        make_interpolation((side + stride - 1) // stride, stride, side).to(annotation) for side in annotation.shape[2:]
    )
    return rows.T @ annotation @ columns


def pool(features: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean feature (N, K, D) of each class's cells, and whether the class has any, (N, K) bool.

    features: (N, h, w, D). cells: (N, K, h, w) from `spread`. For a dense mask, this is the mean of the bilinearly
    upsampled features over its pixels. A class without annotation gets zeros.
    """
    mass = cells.flatten(2).sum(dim=2)
    total = cells.flatten(2) @ features.flatten(1, 2)
    present = mass > 0
    return total / torch.where(present, mass, 1.0)[..., None], present


def compute_shares(cells: Tensor) -> Tensor:
    """Return each cell's annotation for each class, (N, K, M), scaled so that a cell sums to at most one."""
    return (cells / cells.sum(dim=1, keepdim=True).clamp(min=1)).flatten(2)


def merge(pooled: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Return each class's mean (K, D) over the shots (S, K, D) that have it, and whether any shot has it, (K,) bool.

    Classes are independent: a shot with positives only does not change the negatives (thesis §4.3.1).
    """
    count = present.sum(dim=0)
    return (pooled * present[..., None]).sum(dim=0) / count.clamp(min=1)[:, None], count > 0
