"""Refine guidance with the picture itself: its first mask's surest pixels become one more shot (beyond the thesis).

A picture resembles itself more than any support. The extra shot finds the rest of an object where the support shows a
different object, or where dots mark only a few of its points.
"""

import numpy as np

from pixelwise.families.guided.runtime.guidance import Guidance, Shot
from pixelwise.families.guided.runtime.guided_model import Features, GuidedModel

# Least probability that counts as sure, of the negative class (the first) and of any other. The other threshold is low
# because an object unlike the support gets low probabilities at first. Certainty matters more for the negatives.
SURE_OF_NEGATIVE, SURE = 0.9, 0.5


def settle(model: GuidedModel, features: Features, guidance: Guidance) -> Guidance:
    """Return `guidance` with the picture's surest pixels as one more shot, if there is one. No encoder runs."""
    found = select_surest(model, features, guidance)
    return guidance.add(found) if found else guidance


def select_surest(model: GuidedModel, features: Features, guidance: Guidance) -> Shot | None:
    """Return a picture's surest pixels as a shot; None if a class of `guidance` has none.

    Without that class, the shot's other classes would suppress it.
    """
    odds = softmax(model.segment(features, guidance))
    least = np.full((len(odds), 1, 1), SURE)
    least[0] = SURE_OF_NEGATIVE
    is_sure = np.asarray(odds >= least)
    if not np.asarray(is_sure.any(axis=(1, 2)))[guidance.present].all():
        return None
    return model.guide(features, is_sure.astype(np.float32))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the class probabilities (K, H, W)."""
    powers = np.exp(logits - logits.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0))
