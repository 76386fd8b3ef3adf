"""The thesis's two late guides alone, each a part of what the guided net knows by default (thesis §4.3.1)."""

import torch
from torch import Tensor

from pixelwise.families.guided.net import Features, Guidance, GuidedNet


class LateGlobal(GuidedNet):
    """Guidance is one mean a class, tiled: where an annotation lies in its picture does not matter (thesis §4.3.1)."""

    def segment(self, features: Features, guidance: Guidance, hint: Tensor) -> Tensor:
        """As in GuidedNet, without the support's cells and without what is known of this very picture."""
        tiled = guidance._replace(values=torch.zeros_like(guidance.values))
        return super().segment(features, tiled, torch.zeros_like(hint))


class LateLocal(GuidedNet):
    """Guidance stays where the annotation lies, so that the query is the support or much like it (thesis §4.3.1)."""

    def segment(self, features: Features, guidance: Guidance, hint: Tensor) -> Tensor:
        """As in GuidedNet, by the annotations' places alone."""
        local = guidance._replace(mean=torch.zeros_like(guidance.mean), values=torch.zeros_like(guidance.values))
        return super().segment(features, local, hint)
