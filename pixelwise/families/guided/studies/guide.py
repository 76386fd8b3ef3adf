"""Studies of kind guide: tasks that a few annotations define, scored with one guided model (thesis §4.4)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelwise.data.splits import Split
from pixelwise.families.guided.measure.evaluation import evaluate
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.file_lock import hold_lock
from pixelwise.model_folder import ModelFolder
from pixelwise.params import merge, parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements, measure_variants
from pixelwise.studies.outcome import Run
from pixelwise.studies.requirements import require_overrides, require_training
from pixelwise.studies.study import NET, Study, Variant
from pixelwise.studies.trainings import train_variant

# Overrides in a quick run.
QUICK: dict[str, Any] = {"tasks": 2, "shots": 1, "classes": []}
# Columns that are scores of an evaluation by the same name.
SCORES = ("positive_iu", "mean_iu", "mean_j", "frames_per_second")


def require(study: Study, bench: Bench) -> None:
    """Raise ParamsError at the first variant with bad overrides, DataError if the scored split is missing.

    Without a given model, also raise an error if the study's own cannot be trained.
    """
    require_overrides(study, bench, EvaluateParams)
    if not bench.model:
        require_training(study, NET, bench)


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Score the tasks of every variant with the same model."""
    return Measurements(measure_variants(study, seeds, bench, measure_task))


def measure_task(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Score the tasks of one variant."""
    model, params = find_model(study, seed, bench), parse_task(study, variant, bench)

    def open_split(layers: tuple[str, ...]) -> Split:
        samples = bench.data.split(params.split).with_layers(*layers)
        return Split(bench.data.name, bench.data.classes, samples, None)

    return Run(seed=seed, scores=select_columns(evaluate(params, model, open_split, None).metrics()))


def parse_task(study: Study, variant: Variant, bench: Bench) -> EvaluateParams:
    """Parse the task of a variant. Raises ParamsError naming the study, the variant and the first bad key."""
    values = merge({"split": bench.find_val_split(study)}, variant.overrides, QUICK if bench.is_quick else {})
    return parse(EvaluateParams, values, f"study {study.name}: {variant.name}")


def find_model(study: Study, seed: int, bench: Bench) -> Path:
    """Return the folder of the given model or of the study's own, which is trained and exported once."""
    if bench.model:
        return bench.model
    folder = bench.models / str(train_variant(study, NET, seed, bench).fingerprint)[:16]
    with hold_lock(bench.models / ".locks" / folder.name):
        # Export writes export.json last.
        if not ModelFolder(folder).export.is_file():
            bench.export(folder, folder)
    return folder


def select_columns(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Select the columns of a study from the metrics of an evaluation: scores, and the positive IU of baselines."""
    baselines = {
        name: values["positive_iu"]
        for name, values in metrics.items()
        if isinstance(values, Mapping) and "positive_iu" in values
    }
    return {**{name: metrics[name] for name in SCORES if name in metrics}, **baselines}
