"""Studies of kind guide: tasks that a few annotations define, scored with one guided model (thesis §4.4)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelwise.data.splits import Split
from pixelwise.families.guided.measure.clicks import ClickScores
from pixelwise.families.guided.measure.evaluation import evaluate
from pixelwise.families.guided.measure.tally import CategoryScores
from pixelwise.families.guided.measure.video import VideoScores
from pixelwise.families.guided.options import EvaluateParams
from pixelwise.file_lock import hold_lock
from pixelwise.model_folder import ModelFolder
from pixelwise.params import merge, parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements, measure_variants
from pixelwise.studies.provenance import read_fingerprint
from pixelwise.studies.records import Run, Units
from pixelwise.studies.requirements import require_overrides, require_training
from pixelwise.studies.study import NET, Study, Variant
from pixelwise.studies.trainings import train_variant
from pixelwise.studies.units import pack_values

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
    """Score the tasks of every variant with the same model. A seed draws the supports and their points."""
    model = bench.model or export_once(train_variant(study, NET, seeds[0], bench), bench)
    on = replace(bench, model=model)
    return Measurements(measure_variants(study, seeds, on, measure_task))


def measure_task(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Score the tasks of one variant with the model of `bench`."""
    params, model = parse_task(study, variant, seed, bench), Path(bench.model or "")

    def open_split(layers: tuple[str, ...]) -> Split:
        samples = bench.data.split(params.split).with_layers(*layers)
        return Split(bench.data.name, bench.data.classes, samples, None)

    scores = evaluate(params, model, open_split, None)
    return Run(
        seed=seed,
        scores=select_columns(scores.metrics()),
        units=pack_tasks(scores),
        fingerprint=read_fingerprint(model),
    )


def pack_tasks(scores: VideoScores | CategoryScores | ClickScores) -> dict[str, Units]:
    """Pack the scores of each task by column. The labelled pixels of the queries tell the tasks apart."""
    if isinstance(scores, ClickScores):
        return {}
    measured = scores.measurement
    return {name: pack_values(measured.unit, values, measured.truth) for name, values in scores.by_task.items()}


def parse_task(study: Study, variant: Variant, seed: int, bench: Bench) -> EvaluateParams:
    """Parse the task of a variant. Raises ParamsError naming the study, the variant and the first bad key."""
    drawn = {"split": bench.find_val_split(study), "seed": seed}
    values = merge(drawn, variant.overrides, QUICK if bench.is_quick else {})
    return parse(EvaluateParams, values, f"study {study.name}: {variant.name}")


def export_once(training: Run, bench: Bench) -> Path:
    """Export a training of the bench, once, and return its folder."""
    folder = bench.models / str(training.fingerprint)[:16]
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
