"""Guide a picture by what is sure of it: its first mask's surest pixels are one shot more (beyond the thesis).

A picture resembles itself more than it does any support. That finds the rest of an object of which the support shows
another, and of which dots show a few points.
"""

import numpy as np

from pixelwise.families.guided.runtime.guidance import Guidance, Shot
from pixelwise.families.guided.runtime.session import Features, GuidedModel

# Least probability of the negative class, the first, that counts as sure, and of any other. A class that the support
# shows otherwise is found hesitantly at first; to be certain of what is not it matters more.
SURE_OF_NEGATIVE, SURE = 0.9, 0.5


def settle(model: GuidedModel, features: Features, guidance: Guidance) -> Guidance:
    """`guidance` and one shot more: what it makes of the picture itself, where it is sure. No encoder runs."""
    found = surest(model, features, guidance)
    return guidance.add(found) if found else guidance


def surest(model: GuidedModel, features: Features, guidance: Guidance) -> Shot | None:
    """A picture's surest pixels as a shot; None where some class has none, as the others alone would drown it."""
    odds = softmax(model.segment(features, guidance))
    least = np.full((len(odds), 1, 1), SURE)
    least[0] = SURE_OF_NEGATIVE
    is_sure = np.asarray(odds >= least)
    if not np.asarray(is_sure.any(axis=(1, 2)))[guidance.present].all():
        return None
    return model.guide(features, is_sure.astype(np.float32))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (K, H, W) of the classes."""
    powers = np.exp(logits - logits.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))
