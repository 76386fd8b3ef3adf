"""The trainings behind the figures of studies: the first study that needs one runs it, and all reuse it."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Len

from pixelwise.documents import read_json
from pixelwise.families import find
from pixelwise.file_lock import hold_lock
from pixelwise.files import write_json
from pixelwise.identity import sha256_json
from pixelwise.model_folder import HISTORY_FILE, RUN_FILE, WEIGHTS_FILE
from pixelwise.studies import predictions
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import Run, build_curve, score_history
from pixelwise.studies.study import Study, Variant, scoring
from pixelwise.tracking.runs import read_run, start_run
from pixelwise.training.history import find_best_row

# Beside a training: the MLflow run that each study gave it, by experiment and name.
RUNS_FILE = "runs.json"
History = Annotated[list[dict[str, float]], Len(1)]


def trained(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """The scores of one training, which runs unless it ran before; with `evaluate`, the scores on other inputs."""
    params = bench.params(study, variant, seed)
    place, labels = bench.place(study, params), names_of(study, variant, seed, bench)
    with hold_lock(bench.models / ".locks" / place.name):
        # train writes run.json last.
        is_new = not (place / RUN_FILE).is_file()
        if is_new:
            state = bench.models / ".state" / place.name
            bench.train(params, study.family, bench.data.root, place, state, bench.tracking, *labels)
        history = read_json(place / HISTORY_FILE, f"a loss curve; delete {place} to train again", History)
        other = rescored(study, variant, params, bench)
        log_once(place, labels, params, {**find_best_row(history), **other}, bench.tracking, is_new)
    ran, count = read_run(place / RUN_FILE), max(1, len(bench.data.split(params.train_split)) // params.batch_size)
    return Run(
        seed=seed,
        scores=score_history(history) | {key.removeprefix("val/"): value for key, value in other.items()},
        fingerprint=ran["fingerprint"],
        run_id=ran["run_id"],
        experiment=ran["experiment"],
        curve=build_curve(history, math.ceil(count / params.accumulate)) if study.curves else (),
    )


def names_of(study: Study, variant: Variant, seed: int, bench: Bench) -> tuple[str, str, dict[str, str]]:
    """The experiment, name and tags of the MLflow run."""
    experiment = f"{study.name}-quick" if bench.is_quick else study.name
    tags = {"study": study.name, "variant": variant.name, "seed": str(seed)}
    return experiment, f"{variant.name}, seed {seed}", tags


def log_once(
    place: Path,
    labels: tuple[str, str, dict[str, str]],
    params: Any,
    scores: Mapping[str, float],
    tracking: str | None,
    is_new: bool,
) -> None:
    """Give the training in `place` a run in the experiment of a study that uses it again, unless it has one there."""
    experiment, name, tags = labels
    file, key = place / RUNS_FILE, f"{experiment}: {name}"
    known = read_json(file, "runs by name; delete it", dict[str, str], default={})
    if key in known:
        return
    run_id = read_run(place / RUN_FILE)["run_id"]
    if not is_new:
        origin = {"reused_from": run_id} if run_id else {}
        with start_run(experiment, name, params.model_dump(mode="json"), {**tags, **origin}, tracking) as recorder:
            recorder.log_metrics({name: score for name, score in scores.items() if name.startswith("val/")}, 0)
        run_id = recorder.run_id
    if run_id:
        write_json(file, {**known, key: run_id})


def rescored(study: Study, variant: Variant, params: Any, bench: Bench) -> dict[str, float]:
    """The scores of a trained net under the variant's `evaluate`, computed once; empty without `evaluate`."""
    if not variant.evaluate:
        return {}
    place, kind = bench.place(study, params), find(study.family)
    file = place / f"scores-{sha256_json(variant.evaluate)[:8]}.json"
    if not file.is_file():
        net = predictions.trained_net(kind, place / WEIGHTS_FILE, params, len(bench.data.classes))
        write_json(file, kind.rescore(net, bench.data, scoring(study, variant, params)))
    scores: dict[str, float] = read_json(file, "scores by name; delete it to score again", dict[str, float])
    return scores


def predicted(study: Study, variant: Variant, seed: int, bench: Bench) -> list[np.ndarray]:
    """The predictions of a variant for the shown pictures, computed once."""
    params, kind = bench.params(study, variant, seed), find(study.family)
    place = bench.place(study, params)
    file = place / f"predictions-{sha256_json(variant.evaluate)[:8]}.npz"
    if not file.is_file():
        net = predictions.trained_net(kind, place / WEIGHTS_FILE, params, len(bench.data.classes))
        predictions.keep(predictions.predict(kind, net, bench.data, scoring(study, variant, params)), file)
    return predictions.read(file)
