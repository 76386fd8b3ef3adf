"""The trainings of studies. The first study that needs a training runs it; later studies reuse it."""

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
from pixelwise.studies.bench import Bench
from pixelwise.studies.counting import read_or_count
from pixelwise.studies.outcome import build_curve, score_history
from pixelwise.studies.predictions import load_trained_net, predict_shown, read_predictions, write_predictions
from pixelwise.studies.records import Run, Units
from pixelwise.studies.study import Study, Variant, parse_scoring
from pixelwise.tracking.runs import read_run, start_run
from pixelwise.training.history import find_best_row
from pixelwise.training.still_images import StillImageTask

# In the folder of a training: the id of the MLflow run in each study, by experiment and name.
RUNS_FILE = "runs.json"
History = Annotated[list[dict[str, float]], Len(1)]


def train_variant(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Train a variant unless an equal training exists; return its scores, those under `evaluate` if it has any."""
    params = bench.parse_params(study, variant, seed)
    folder, labels = bench.find_folder(study, params), label_run(study, variant, seed, bench)
    with hold_lock(bench.models / ".locks" / folder.name):
        # train writes run.json last.
        is_new = not (folder / RUN_FILE).is_file()
        if is_new:
            state = bench.models / ".state" / folder.name
            bench.train(params, study.family, bench.data.root, folder, state, bench.tracking, *labels)
        history = read_json(folder / HISTORY_FILE, f"a loss curve; delete {folder} to train again", History)
        rescored = rescore_variant(study, variant, params, bench)
        log_once(folder, labels, params, {**find_best_row(history), **rescored}, bench.tracking, is_new)
        units = count_variant(study, variant, params, bench)
    run, batches = read_run(folder / RUN_FILE), len(bench.data.split(params.train_split)) // params.batch_size
    return Run(
        seed=seed,
        scores=score_history(history) | {key.removeprefix("val/"): value for key, value in rescored.items()},
        units=units,
        fingerprint=run["fingerprint"],
        run_id=run["run_id"],
        experiment=run["experiment"],
        curve=build_curve(history, math.ceil(max(1, batches) / params.accumulate)) if study.curves else (),
    )


def label_run(study: Study, variant: Variant, seed: int, bench: Bench) -> tuple[str, str, dict[str, str]]:
    """Return the experiment, the name and the tags of a training's MLflow run."""
    experiment = f"{study.name}-quick" if bench.is_quick else study.name
    tags = {"study": study.name, "variant": variant.name, "seed": str(seed)}
    return experiment, f"{variant.name}, seed {seed}", tags


def log_once(
    folder: Path,
    labels: tuple[str, str, dict[str, str]],
    params: Any,
    scores: Mapping[str, float],
    tracking: str | None,
    is_new: bool,
) -> None:
    """Record the training in `folder` as a run of the study's experiment, unless it has a run there."""
    experiment, name, tags = labels
    file, key = folder / RUNS_FILE, f"{experiment}: {name}"
    run_ids = read_json(file, "runs by name; delete the file", dict[str, str], default={})
    if key in run_ids:
        return
    run_id = read_run(folder / RUN_FILE)["run_id"]
    if not is_new:
        origin = {"reused_from": run_id} if run_id else {}
        with start_run(experiment, name, params.model_dump(mode="json"), {**tags, **origin}, tracking) as recorder:
            recorder.log_metrics({name: score for name, score in scores.items() if name.startswith("val/")}, 0)
        run_id = recorder.run_id
    if run_id:
        write_json(file, {**run_ids, key: run_id})


def rescore_variant(study: Study, variant: Variant, params: Any, bench: Bench) -> dict[str, float]:
    """Score a trained net under the variant's `evaluate`, once; return no scores without `evaluate`."""
    if not variant.evaluate:
        return {}
    folder, family = bench.find_folder(study, params), find(study.family)
    file = folder / f"scores-{sha256_json(variant.evaluate)[:8]}.json"
    if not file.is_file():
        net = load_trained_net(family, folder / WEIGHTS_FILE, params, len(bench.data.classes))
        write_json(file, family.rescore(net, bench.data, parse_scoring(study, variant, params)))
    scores: dict[str, float] = read_json(file, "scores by name; delete the file to score again", dict[str, float])
    return scores


def count_variant(study: Study, variant: Variant, params: Any, bench: Bench) -> dict[str, Units]:
    """Count the pixels of a trained net by validation picture, once; nothing for a net that does not label pictures."""
    folder, family, scored = bench.find_folder(study, params), find(study.family), parse_scoring(study, variant, params)
    task = family.make_task(bench.data, scored)
    if not isinstance(task, StillImageTask):
        return {}
    net = load_trained_net(family, folder / WEIGHTS_FILE, params, len(bench.data.classes))
    return read_or_count(folder / f"units-{sha256_json(variant.evaluate)[:8]}.json", net, task)


def predict_variant(study: Study, variant: Variant, seed: int, bench: Bench) -> list[np.ndarray]:
    """Predict the labels (H, W) of the shown pictures with a trained variant, once."""
    params, family = bench.parse_params(study, variant, seed), find(study.family)
    folder = bench.find_folder(study, params)
    file = folder / f"predictions-{sha256_json(variant.evaluate)[:8]}.npz"
    if not file.is_file():
        net = load_trained_net(family, folder / WEIGHTS_FILE, params, len(bench.data.classes))
        scored = parse_scoring(study, variant, params)
        write_predictions(predict_shown(family, net, bench.data, scored), file)
    return read_predictions(file)
