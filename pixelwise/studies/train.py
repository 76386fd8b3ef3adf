"""Studies of kind train: a training of every variant."""

from collections.abc import Sequence

from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements, measure_variants
from pixelwise.studies.requirements import require_trainings as require
from pixelwise.studies.sheets import draw_predictions
from pixelwise.studies.study import Study
from pixelwise.studies.trainings import train_variant

__all__ = ["measure", "require"]


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Train every variant with every seed, and draw predictions of the first."""
    runs = measure_variants(study, seeds, bench, train_variant)
    return Measurements(runs, draw_predictions(study, seeds[0], bench))
