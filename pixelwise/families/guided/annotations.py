"""Annotations on the grid of features: every annotated pixel weighs one, wherever it lies (thesis §4.3.1)."""

import torch
from torch import Tensor

from pixelwise.nets.upsampling import make_interpolation


def spread(annotation: Tensor, stride: int) -> Tensor:
    """Bring annotation maps (N, K, H, W) to the grid of features at `stride`, (N, K, ceil(H/s), ceil(W/s)).

    Each pixel gives its value to the cells around it by bilinear weights that sum to one, at borders and corners too,
    so that a lone dot counts as much there as inside. Cell i looks at pixel stride·i.
    """
    # Not -(-side // stride): exported, a division rounds towards zero.
    rows, columns = (
        make_interpolation((side + stride - 1) // stride, stride, side).to(annotation) for side in annotation.shape[2:]
    )
    return rows.T @ annotation @ columns


def pool(features: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """The mean feature (N, K, D) under each class's cells, and which classes have any, (N, K) bool.

    features: (N, h, w, D); cells: (N, K, h, w) from `spread`. A dense mask gives the mean, over its pixels, of the
    bilinearly upsampled features; a class without an annotation gives zeros.
    """
    mass = cells.flatten(2).sum(dim=2)
    total = cells.flatten(2) @ features.flatten(1, 2)
    present = mass > 0
    return total / torch.where(present, mass, 1.0)[..., None], present


def shares(cells: Tensor) -> Tensor:
    """What each cell says of each class, (N, K, M): its share of the annotations, at most one over all classes."""
    return (cells / cells.sum(dim=1, keepdim=True).clamp(min=1)).flatten(2)


def merge(pooled: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over shots (S, K, D) of each class that a shot has, (K, D), and which classes any has, (K,) bool.

    Classes are independent: a shot of positives alone leaves the negatives as they were (thesis §4.3.1).
    """
    count = present.sum(dim=0)
    return (pooled * present[..., None]).sum(dim=0) / count.clamp(min=1)[:, None], count > 0
