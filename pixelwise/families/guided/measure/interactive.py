"""Score interactive segmentation: the support is the query, annotated by points (thesis §4.4.1, figure 4.5)."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pixelwise.data.prepared import Sample
from pixelwise.families.guided.episodes import annotate_points, draw_points, make_target
from pixelwise.families.guided.measure.categories import (
    CategoryScores,
    Floor,
    Support,
    mean_scores,
    pictures_of,
    tasks_of,
)
from pixelwise.families.guided.runtime.annotations import STRIDE
from pixelwise.families.guided.runtime.clicks import hint_of
from pixelwise.families.guided.runtime.guidance import merge
from pixelwise.families.guided.runtime.session import GuidedModel
from pixelwise.families.guided.runtime.working_size import label
from pixelwise.metrics.positive_iu import compute_positive_iu
from pixelwise.progress import progress


def score_interactive(
    model: GuidedModel,
    floor: Floor,
    samples: Sequence[Sample],
    names: Sequence[str],
    chosen: Sequence[str],
    support: Support,
) -> CategoryScores:
    """Score objects of the categories `chosen` (none: all), segmented by `support.points` points per class on them.

    As in a session after as many clicks, the points are guidance, and their places are a hint to the net. `floor`
    segments the same pictures without points.
    """
    guided: dict[str, list[float]] = defaultdict(list)
    unguided, negatives = [], []
    for value, index in progress(tasks_of(pictures_of(samples, names, chosen), support.tasks), "evaluate"):
        rng = np.random.default_rng((support.seed, value, index))
        sample = samples[index]
        truth = make_target(sample.label, value)
        points = draw_points(truth, support.points or 1, rng)
        features = model.encode(sample.image)
        guidance = merge([model.guide(features, annotate_points(points, *truth.shape))])
        hint = hint_of(points, features.embedding.shape[1:3], STRIDE)
        prediction = label(model.segment(features, guidance, hint))
        guided[names[value]].append(compute_positive_iu(prediction, truth, 1))
        negatives.append(compute_positive_iu(prediction, truth, 0))
        unguided.append(compute_positive_iu(floor(features), truth, 1))
    return mean_scores(guided, unguided, negatives, support)
