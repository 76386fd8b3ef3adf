"""Score tasks that a few annotations define, with a given guided model or one trained for the study (thesis §4.4)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelwise.data.splits import Split
from pixelwise.families import find_measure, find_options
from pixelwise.file_lock import hold_lock
from pixelwise.model_folder import ModelFolder
from pixelwise.params import merge, parse
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import Run
from pixelwise.studies.staged_net import NET
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import trained

# Of a study that only has to run through.
QUICK: dict[str, Any] = {"tasks": 2, "shots": 1, "classes": []}


def task_of(study: Study, variant: Variant, bench: Bench) -> Any:
    """The task of a variant. Raises ParamsError naming the study, the variant and the first bad key."""
    values = merge({"split": bench.val_split(study)}, variant.overrides, QUICK if bench.is_quick else {})
    return parse(find_options(study.family).EvaluateParams, values, f"study {study.name}: {variant.name}")


def guided(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Score one distribution of tasks with the variant's number of annotations."""
    model, wanted = guided_model(study, bench), task_of(study, variant, bench)

    def open_split(layers: tuple[str, ...]) -> Split:
        samples = bench.data.split(wanted.split).with_layers(*layers)
        return Split(bench.data.name, bench.data.classes, samples, None)

    found = find_measure(study.family).evaluate(wanted, model, open_split, None)
    return Run(seed=seed, scores=flat(found.metrics()))


def guided_model(study: Study, bench: Bench) -> Path:
    """The folder of the given model, or of the study's own, which is trained by its base and exported once."""
    if bench.model:
        return bench.model
    place = bench.models / str(trained(study, NET, study.seeds[0], bench).fingerprint)[:16]
    with hold_lock(bench.models / ".locks" / place.name):
        # Export writes export.json last.
        if not ModelFolder(place).export.is_file():
            bench.export(place, place)
    return place


def flat(found: Mapping[str, Any]) -> dict[str, float]:
    """The scores of an evaluation, by column."""
    named = {
        name: values["positive_iu"]
        for name, values in found.items()
        if isinstance(values, Mapping) and "positive_iu" in values
    }
    numbers = ("positive_iu", "mean_iu", "mean_j", "frames_per_second")
    return {**{name: found[name] for name in numbers if name in found}, **named}
