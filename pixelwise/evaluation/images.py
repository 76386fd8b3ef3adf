"""Evaluate a model with one graph, pictures in and labels out: the default for families without their own."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pixelwise.data.splits import Split
from pixelwise.errors import ParamsError
from pixelwise.evaluation.counting import Counted, count_images
from pixelwise.evaluation.error_analysis.beside import BesideCollector, make_scoring_beside
from pixelwise.evaluation.error_analysis.collector import ErrorCollector
from pixelwise.evaluation.error_analysis.slices import read_rows
from pixelwise.evaluation.params import EvaluateParams
from pixelwise.evaluation.scoring import Scoring, make_scoring
from pixelwise.inference.exported_models import identify
from pixelwise.inference.session import find_graph_file, open_model
from pixelwise.metrics.confusion import Counts, compute_scores
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.evaluation import Evaluation


def evaluate(
    params: EvaluateParams, model: Path, open_split: Callable[[tuple[str, ...]], Split], out: Path | None
) -> Evaluation:
    """Score an exported `model` on a split. A model that labels only geometry is scored on the geometry classes.

    open_split: opens the split with the layers that the model needs. out: folder for metrics.json, plots and
    report.html. Raises DataError if the classes of the data do not match the model's, ModelError if the model
    cannot run, ParamsError if `params` names an unknown class.
    """
    if out is None and (params.beside or params.slices):
        raise ParamsError("evaluate: beside and slices are for the error page, expected --out FOLDER too")
    segmenter = open_model(model, params.provider)
    other = open_model(resolve_model_folder(params.beside), params.provider) if params.beside else None
    table = read_rows(params.slices) if params.slices else []
    split = open_split(tuple(dict.fromkeys((*segmenter.layers, *(other.layers if other else ())))))
    scoring = make_scoring(model, segmenter, split)
    beside = BesideCollector(make_scoring_beside(params.beside, other, scoring)) if other and params.beside else None
    errors = ErrorCollector(len(scoring.classes), beside, table) if out else None
    return score(params, scoring, partial(count_images, batch_size=params.batch_size, errors=errors), out, errors)


def score(
    params: EvaluateParams,
    scoring: Scoring,
    count: Callable[[Scoring], Counted],
    out: Path | None,
    errors: ErrorCollector | None = None,
) -> Evaluation:
    """Compute the scores from the counts of `count`, and write them under `out` if it is given.

    errors: what `count` collects the errors in; None writes no error page.
    """
    file, mean_over = find_graph_file(scoring.model), select_classes(scoring.classes.names, params.classes)
    first, split = scoring.segmenter.outputs[0], scoring.split
    started = time.perf_counter()
    counted = count(scoring)
    total = {name: per_image.sum(axis=0) for name, per_image in counted.counts.items()}
    evaluation = Evaluation(
        model=file,
        model_sha256=identify(scoring.model),
        dataset=split.dataset,
        data_sha256=split.data_sha256,
        split=params.split,
        provider=scoring.segmenter.provider,
        seconds=time.perf_counter() - started,
        classes=scoring.classes,
        ids=counted.ids,
        counts=counted.counts[first],
        scores=compute_scores(total[first], params.absent, mean_over),
        further=compute_further_scores(total),
        speed=counted.speed,
        reliability=counted.reliability,
        out=out,
    )
    if out:
        # Importing plots takes a second, and the scores alone do not need them.
        from pixelwise.evaluation.results import write_and_record

        write_and_record(out, evaluation, scoring, params.pictures, errors)
    return evaluation


def select_classes(names: Sequence[str], classes: Sequence[str]) -> np.ndarray | None:
    """A mask (K,) bool of the `names` in `classes`; None for all. Raises ParamsError for an unknown class."""
    for name in classes:
        if name not in names:
            raise ParamsError(f"classes: found {name}, expected some of: {', '.join(names)}")
    return np.isin(names, classes) if classes else None


def compute_further_scores(total: Mapping[str, Counts]) -> dict[str, float]:
    """The scores beside those of the first map, as in training, from the (K, K) counts of each map."""
    return {"geometry_accuracy": compute_scores(total["geometry"]).pixel_accuracy} if "geometry" in total else {}
