"""Studies of kind oracle: the ground truth at a coarser resolution, scored against itself (thesis §2.5.3)."""

from collections.abc import Sequence

import numpy as np
from pydantic import PositiveInt

from pixelwise.data.prepared import PreparedSplit
from pixelwise.metrics.confusion import Counts, compute_scores
from pixelwise.metrics.oracle import count_oracle_pixels
from pixelwise.metrics.tallies import tally
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements, measure_variants
from pixelwise.studies.records import Run
from pixelwise.studies.requirements import require_overrides
from pixelwise.studies.study import Study, Variant, parse_overrides
from pixelwise.studies.units import pack_tallies
from pixelwise.training.still_images import name_scores


class OracleParams(Params):
    """The overrides of a variant."""

    factor: PositiveInt


def require(study: Study, bench: Bench) -> None:
    """Raise ParamsError at the first variant with bad overrides, DataError if the scored split is missing."""
    require_overrides(study, bench, OracleParams)


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Score the labels of the split at the factor of every variant."""
    return Measurements(measure_variants(study, seeds, bench, measure_factor))


def measure_factor(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Score the labels at the factor of one variant."""
    factor = parse_overrides(study, variant, OracleParams).factor
    split = bench.data.split(bench.find_val_split(study))
    counts = count_oracle(split, factor)
    scores = name_scores(compute_scores(counts.sum(axis=0)))
    return Run(
        seed=seed,
        scores={name.removeprefix("val/"): value for name, value in scores.items()},
        units={"labels": pack_tallies("picture", tally(counts))},
    )


def count_oracle(split: PreparedSplit, factor: int) -> Counts:
    """Count the pixels of labels at a `factor` times coarser resolution against themselves, (M, K, K) by picture."""
    return np.stack(
        [
            count_oracle_pixels(split.label(index), factor, len(split.classes))
            for index in progress(range(len(split)), f"factor {factor}")
        ]
    )
