"""The thesis's two late guides, each alone; the default guided net combines both (thesis §4.3.1)."""

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
    """Guidance is the place of an annotation, so the query must be the support or resemble it (thesis §4.3.1)."""

    def segment(self, features: Features, guidance: Guidance, hint: Tensor) -> Tensor:
        """Return the scores as in GuidedNet, from presence and hint only."""
        local = guidance._replace(mean=torch.zeros_like(guidance.mean), values=torch.zeros_like(guidance.values))
        return super().segment(features, local, hint)
