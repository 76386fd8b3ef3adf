"""Scores from three numbers a class equal those from the whole confusion matrix."""

import numpy as np
import pytest

from pixelwise.metrics.confusion import compute_scores
from pixelwise.metrics.measurement import Measurement
from pixelwise.metrics.tallies import SCORES, tally

COUNTS = np.random.default_rng(0).integers(0, 50, (6, 4, 4))
# A class that no label has, but that is predicted.
COUNTS[:, 3, :] = 0


def test_every_score_of_tallies_is_that_of_the_matrices():
    expected = compute_scores(COUNTS.sum(axis=0))
    found = {name: float(score(tally(COUNTS.sum(axis=0)))) for name, score in SCORES.items()}
    assert found == pytest.approx(
        {
            "mean IU": expected.mean_iu,
            "pixel accuracy": expected.pixel_accuracy,
            "mean accuracy": expected.mean_accuracy,
            "frequency weighted IU": expected.frequency_weighted_iu,
        }
    )


def test_units_are_summed_before_they_are_scored():
    ids = tuple("abcdef")
    for name, score in SCORES.items():
        measured = Measurement(name, "picture", ids, tally(COUNTS), f"{name} of tallies")
        assert measured.score == pytest.approx(float(score(tally(COUNTS.sum(axis=0)))))
