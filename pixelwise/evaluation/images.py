"""Evaluate a model of one graph, pictures in and labels out: the evaluation of every family without its own."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pixelwise.data.splits import Split
from pixelwise.errors import ParamsError
from pixelwise.evaluation.counting import Counted, Scoring, count_images, match
from pixelwise.evaluation.params import EvaluateParams
from pixelwise.identity import sha256_file
from pixelwise.inference.session import graph_file, open_model
from pixelwise.metrics.confusion import Counts, compute_scores
from pixelwise.reporting.evaluation import Evaluation


def evaluate(
    params: EvaluateParams, model: Path, open_split: Callable[[tuple[str, ...]], Split], out: Path | None
) -> Evaluation:
    """The scores of an exported `model` on a split. A model that labels the geometry alone is scored on its classes.

    open_split: the split, with the layers that the model needs. out: folder for metrics.json, plots and report.html.
    Raises DataError where the classes of the data are not the model's, ModelError where the model cannot run.
    """
    segmenter = open_model(model, params.provider)
    scoring = match(model, segmenter, open_split(segmenter.layers))
    return score(params, scoring, partial(count_images, batch_size=params.batch_size), out)


def score(
    params: EvaluateParams, scoring: Scoring, count: Callable[[Scoring], Counted], out: Path | None
) -> Evaluation:
    """The scores over what `count` counts, written under `out` where it is given."""
    file, mean_over = graph_file(scoring.model), chosen(scoring.classes.names, params.classes)
    first, split = scoring.segmenter.outputs[0], scoring.split
    started = time.perf_counter()
    counted = count(scoring)
    total = {name: each.sum(axis=0) for name, each in counted.counts.items()}
    found = Evaluation(
        model=file,
        model_sha256=sha256_file(file),
        dataset=split.dataset,
        data_sha256=split.data_sha256,
        split=params.split,
        provider=scoring.segmenter.provider,
        seconds=time.perf_counter() - started,
        classes=scoring.classes,
        ids=counted.ids,
        counts=counted.counts[first],
        scores=compute_scores(total[first], params.absent, mean_over),
        further=further_scores(total),
        speed=counted.speed,
        out=out,
    )
    if out:
        # Plots take a second to import, and a score alone needs none.
        from pixelwise.evaluation.results import write_and_record

        write_and_record(out, found, scoring, params.pictures)
    return found


def chosen(names: Sequence[str], classes: Sequence[str]) -> np.ndarray | None:
    """Which of `names` are among `classes`, (K,) bool; None for all. Raises ParamsError at a class that is unknown."""
    for name in classes:
        if name not in names:
            raise ParamsError(f"classes: found {name}, expected some of: {', '.join(names)}")
    return np.isin(names, classes) if classes else None


def further_scores(total: Mapping[str, Counts]) -> dict[str, float]:
    """What training also scores, from the (K, K) counts of every map."""
    return {"geometry_accuracy": compute_scores(total["geometry"]).pixel_accuracy} if "geometry" in total else {}


def evidence(evaluation: Path) -> list[Path]:
    """The files that `evaluate` writes to the folder `evaluation` and the release gate judges."""
    return [evaluation / "metrics.json", evaluation / "images.npz"]
