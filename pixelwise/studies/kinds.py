"""The measurement of each kind of study."""

from collections.abc import Callable, Mapping

from pixelwise.errors import ModelError
from pixelwise.families import find
from pixelwise.params import parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.dense import dense_predictions
from pixelwise.studies.guided_tasks import guided
from pixelwise.studies.measurements import OracleParams, oracle_scores, structure
from pixelwise.studies.outcome import Run
from pixelwise.studies.recovery import recoveries
from pixelwise.studies.scales import scaled
from pixelwise.studies.schedules import Together, scheduled
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import trained
from pixelwise.studies.velocity import velocities


def made_coarse(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Score the ground truth at a coarser resolution (thesis §2.5.3)."""
    params = parse(OracleParams, variant.overrides, f"study {study.name}: {variant.name}")
    return Run(seed=seed, scores=oracle_scores(bench.data.split(bench.val_split(study)), params.factor))


def described(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Describe the structure of a net (table 2.1), and score it where its initial weights are available."""
    kind, classes = find(study.family), len(bench.data.classes)
    network = bench.params(study, variant, seed).network
    found = structure(kind.build(network, classes, pretrained=False), network.strides)
    if bench.is_quick:
        return Run(seed=seed, scores=found, remark="not trained")
    try:
        kind.build(network, classes)
    except ModelError:
        return Run(seed=seed, scores=found, remark="weights not at hand")
    ran = trained(study, variant, seed, bench)
    return ran.model_copy(update={"scores": ran.scores | found})


MEASURES: Mapping[str, Callable[[Study, Variant, int, Bench], Run]] = {
    "train": trained,
    "oracle": made_coarse,
    "structure": described,
    "guide": guided,
    "scale": scaled,
}
# Kinds whose variants are measured together, in turns.
TOGETHER: Mapping[str, Callable[[Study, Bench], Together]] = {
    "schedule": scheduled,
    "velocity": velocities,
    "recovery": recoveries,
    "dense": dense_predictions,
}
