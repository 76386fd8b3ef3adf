"""Score interactive segmentation: the support is the query, annotated by points (thesis §4.4.1, figure 4.5)."""

from collections.abc import Sequence

import numpy as np

from pixelwise.data.prepared import Sample
from pixelwise.families.guided.episodes import annotate_points, draw_points, make_target
from pixelwise.families.guided.measure.categories import (
    Baseline,
    choose_tasks,
    index_pictures,
)
from pixelwise.families.guided.measure.tally import CategoryScores, Sampling, Tally
from pixelwise.families.guided.runtime.clicks import hint_of
from pixelwise.families.guided.runtime.guidance import merge
from pixelwise.families.guided.runtime.session import GuidedModel
from pixelwise.families.guided.runtime.working_size import label
from pixelwise.progress import progress


def score_interactive(
    model: GuidedModel,
    baseline: Baseline,
    samples: Sequence[Sample],
    names: Sequence[str],
    categories: Sequence[str],
    sampling: Sampling,
) -> CategoryScores:
    """Score objects of `categories` (none: all), segmented by `sampling.points` points per class on them.

    As in a session after as many clicks, the points are guidance, and their positions are a hint to the net. `baseline`
    segments the same pictures without points.
    """
    tally = Tally(sampling)
    members = index_pictures(samples, names, categories)
    for value, index in progress(choose_tasks(members, sampling.tasks), "evaluate"):
        rng = np.random.default_rng((sampling.seed, value, index))
        sample = samples[index]
        truth = make_target(sample.label, value)
        points = draw_points(truth, sampling.points or 1, rng)
        features = model.encode(sample.image)
        guidance = merge([model.guide(features, annotate_points(points, *truth.shape))])
        hint = hint_of(points, features.grid)
        prediction = label(model.segment(features, guidance, hint))
        tally.add(names[value], sample.id, truth, prediction, baseline(features))
    return tally.average()
