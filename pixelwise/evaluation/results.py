"""Write the files of an evaluation, and add its scores to the MLflow run of the training."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise import tracking
from pixelwise.data.class_mapping import map_classes
from pixelwise.documents import read_json
from pixelwise.evaluation.error_analysis.collector import ErrorCollector
from pixelwise.evaluation.error_analysis.finishing import analyse
from pixelwise.evaluation.scoring import Scoring
from pixelwise.inference.session import select_truth, stack_samples
from pixelwise.model_folder import ModelFolder
from pixelwise.reporting.errors.files import ERRORS_PAGE, write_errors
from pixelwise.reporting.evaluation import Evaluation, format_percent
from pixelwise.reporting.evaluation_files import write_results
from pixelwise.reporting.prediction_grid import GridRow

# The expectation that error messages name for files of a model.
WRITTEN = "what a step of the pipeline wrote"


def write_and_record(
    out: Path, evaluation: Evaluation, scoring: Scoring, pictures: int, errors: ErrorCollector | None
) -> None:
    """Write all files under `out`, and add them and the scores to the model's MLflow run if it has one.

    errors: what was collected for the error page; None writes none.
    """
    folder = ModelFolder.around(evaluation.model)
    run_id = read_json(folder.run, WRITTEN, default={}).get("run_id")
    history = read_json(folder.history, WRITTEN, list[Any], default=[])
    origins = list_origins(evaluation, scoring.segmenter.metadata, folder, run_id)
    links = {ERRORS_PAGE: "Where the model is wrong"} if errors else {}
    files = write_results(out, evaluation, make_grid_rows(evaluation, scoring, pictures), history, origins, links)
    if errors:
        files += write_errors(out, evaluation, analyse(errors, evaluation, scoring))
    if run_id:
        tracking.record(folder.run, make_tracked_metrics(evaluation), files)


def list_origins(
    evaluation: Evaluation, metadata: dict[str, str], folder: ModelFolder, run_id: str | None
) -> dict[str, dict[str, Any]]:
    """The facts about the model and the data on the report page, by the title of their box."""
    return {
        "Model": {
            "file": evaluation.model,
            "sha256": evaluation.model_sha256,
            "family": metadata.get("family"),
            "fingerprint": metadata.get("fingerprint"),
            "temperature": metadata.get("temperature"),
            "MLflow run": run_id,
        },
        "Data": {
            "data set": evaluation.dataset,
            "split": evaluation.split,
            "images": len(evaluation.ids),
            "manifest sha256": evaluation.data_sha256,
            "provider": evaluation.provider,
        },
        "Export": read_json(folder.export, WRITTEN, default={}),
        "int8": read_json(ModelFolder(folder.int8).quantization, WRITTEN, default={}),
    }


def make_grid_rows(evaluation: Evaluation, scoring: Scoring, pictures: int) -> list[GridRow]:
    """The worst image and others spread evenly over the split, predicted again, since predictions are not kept."""
    segmenter, samples = scoring.segmenter, scoring.split.samples
    mean_ius, output = evaluation.compute_image_mean_ius(), segmenter.outputs[0]
    worst = int(np.nanargmin(mean_ius))
    others = [index for index in range(len(samples)) if index != worst]
    spread = np.linspace(0, len(others) - 1, min(pictures - 1, len(others))).round().astype(int)
    rows = []
    for index in sorted([worst, *(others[index] for index in spread)]):
        sample = samples[index]
        note = "   worst of the split" if index == worst and len(samples) > 1 else ""
        caption = f"{sample.id}   mean IU {format_percent(mean_ius[index])} %{note}"
        prediction = map_classes(segmenter.label(stack_samples([sample]))[output][0], scoring.table)
        rows.append(GridRow(caption, sample.image, select_truth(output, sample), prediction))
    return rows


def make_tracked_metrics(evaluation: Evaluation) -> dict[str, float]:
    """The scores under the metric names that the runs of all families share."""
    metrics, names = evaluation.metrics(), ("mean_iu", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iu")
    tracked = {name: metrics[name] for name in (*names, *evaluation.further, "ece") if name in metrics}
    for name, iu in metrics["per_class"].items():
        if iu is not None:
            # Class names may contain characters that MLflow refuses.
            tracked["iu/" + re.sub(r"[^\w .-]", "_", name)] = iu
    return {f"evaluate/{evaluation.split}/{name}": value for name, value in tracked.items()}
