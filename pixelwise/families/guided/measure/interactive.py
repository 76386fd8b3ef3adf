"""Score interactive segmentation: the support is the query, annotated by points (thesis §4.4.1, figure 4.5)."""

from collections.abc import Sequence

import numpy as np

from pixelwise.data.prepared import Sample
from pixelwise.families.guided.episodes import draw_points, make_target
from pixelwise.families.guided.measure.categories import (
    choose_tasks,
    index_pictures,
)
from pixelwise.families.guided.measure.segmenters import Segmenter
from pixelwise.families.guided.measure.tally import CategoryScores, Sampling, Tally
from pixelwise.progress import progress


def score_interactive(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    names: Sequence[str],
    categories: Sequence[str],
    sampling: Sampling,
) -> CategoryScores:
    """Score objects of `categories` (none: all), segmented by `sampling.points` points per class on them."""
    tally = Tally(sampling)
    members = index_pictures(samples, names, categories)
    for value, index in progress(choose_tasks(members, sampling.tasks), "evaluate"):
        rng = np.random.default_rng((sampling.seed, value, index))
        sample = samples[index]
        truth = make_target(sample.label, value)
        points = draw_points(truth, sampling.points or 1, rng)
        answer = segmenter.segment_itself(sample.image, points)
        tally.add(names[value], sample.id, truth, answer.guided, answer.unguided)
    return tally.average()
