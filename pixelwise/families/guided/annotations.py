"""Annotations on the grid of features: every annotated pixel has weight one, wherever it lies (thesis §4.3.1)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pixelwise.families.guided.runtime.annotations import STRIDE
from pixelwise.nets.upsampling import make_interpolation


def spread(annotation: Tensor, cells: Sequence[int], offset: float = 0.0) -> Tensor:
    """Resample annotation maps (N, K, H, W) to the grid of features, (N, K, h, w); `cells` is its size (h, w).

    Each pixel's value is divided among the cells around it by bilinear weights. They sum to one, also at borders, so
    that a single dot counts as much there as inside. Cell i is centred on pixel STRIDE·i + offset.
    """
    rows, columns = (
        make_interpolation(count, STRIDE, side, offset).to(annotation)
        for count, side in zip(cells, annotation.shape[2:], strict=True)
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
