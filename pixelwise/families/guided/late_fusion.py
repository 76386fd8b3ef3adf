"""The thesis's two late guides, each alone; the default guided net combines both (thesis §4.3.1)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from pixelwise.families.guided.net import Features, Guidance, GuidedNet


class LateGlobal(GuidedNet):
    """Guidance is one tiled mean per class; the place of an annotation does not matter (thesis §4.3.1)."""

    def segment(self, features: Features, guidance: Guidance, hint: Tensor) -> Tensor:
        """Return the scores as in GuidedNet, without the support's cells and without the hint."""
        tiled = guidance._replace(values=torch.zeros_like(guidance.values))
        return super().segment(features, tiled, torch.zeros_like(hint))


class LateLocal(GuidedNet):
    """Guidance is φ(x) ⊙ m: the support's features at the places of its annotations (thesis §4.3.1).

    The scorer sees them beside the query's features at the same places, so the query must be the support, as in
    interactive segmentation, or resemble it. Cells are matched by place only.
    """

    def match(self, embedding: Tensor, guidance: Guidance, hint: Tensor) -> Tensor:
        """Return the matches as in GuidedNet, of presence and hint only."""
        local = guidance._replace(mean=torch.zeros_like(guidance.mean), values=torch.zeros_like(guidance.values))
        return super().match(embedding, local, hint)

    def fuse(self, guidance: Guidance, cells: Sequence[int]) -> Tensor:
        """Return the guide of each class and cell, (N, K, h, w, D); zeros where nothing is annotated.

        `cells` is the size (h, w) of the query's grid. A key between its cells is divided among them. Where several
        shots annotate a cell, the guide is their mean.
        """
        height, width = cells
        rows, columns = (
            share_out(place, side) for place, side in zip(guidance.places.unbind(dim=2), (height, width), strict=True)
        )
        share = (rows[:, :, :, None] * columns[:, :, None]).flatten(2)
        mass = (guidance.values @ share).sum(dim=1).clamp(min=1)[:, None, :, None]
        masked = guidance.values[..., None] * guidance.keys[:, None]
        return (share.transpose(1, 2)[:, None] @ masked / mass).unflatten(2, (height, width))


def share_out(place: Tensor, cells: int) -> Tensor:
    """Return the share (N, M, cells) of each cell of a line in the places (N, M), each from 0 to 1 along the line."""
    at = (place * cells - 0.5).clamp(min=0, max=cells - 1)
    return (1 - (at[..., None] - torch.arange(cells, device=place.device)).abs()).clamp(min=0)
