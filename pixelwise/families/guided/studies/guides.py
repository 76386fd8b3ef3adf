"""Studies of kind guides: guides trained on the same episodes and scored on the same tasks (thesis §4.3, §4.4)."""

from collections.abc import Sequence
from dataclasses import replace

from pixelwise.families.guided.studies import guide
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements, measure_variants
from pixelwise.studies.records import Run
from pixelwise.studies.requirements import name_errors, require_training
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import train_variant


def require(study: Study, bench: Bench) -> None:
    """Raise ParamsError or DataError at the first variant that cannot be trained or whose tasks cannot be scored."""
    for variant in study.variants:
        with name_errors(study, variant):
            require_training(study, select_training(variant), bench)
            bench.data.split(guide.parse_task(study, select_task(variant), study.seeds[0], bench).split)


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Train the guide of every variant with every seed, which also draws its tasks, and score them."""
    return Measurements(measure_variants(study, seeds, bench, measure_guide))


def measure_guide(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Train and export the guide of one variant, once for all of its tasks, and score one of them."""
    training = train_variant(study, select_training(variant), seed, bench)
    on = replace(bench, model=guide.export_once(training, bench))
    scored = guide.measure_task(study, select_task(variant), seed, on)
    return training.model_copy(update={"scores": training.scores | scored.scores, "units": scored.units})


def select_training(variant: Variant) -> Variant:
    """Select what the variant trains."""
    return variant.model_copy(update={"evaluate": {}})


def select_task(variant: Variant) -> Variant:
    """Select what the variant scores: the options of `evaluate`."""
    return variant.model_copy(update={"overrides": variant.evaluate})
