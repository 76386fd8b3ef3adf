"""Evaluate an exported model: one confusion matrix over a split, every score from it (thesis §2.4)."""

import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, PositiveInt

from pixelwise import command
from pixelwise.data.correspondence import lookup, renamed
from pixelwise.data.items import Classes
from pixelwise.data.prepared import Sample
from pixelwise.data.readers import READERS
from pixelwise.data.splits import Split, open_split
from pixelwise.documents import read_json
from pixelwise.errors import DataError, ParamsError
from pixelwise.families.clockwork.measure.frontier import Frontier, measure_frontier
from pixelwise.families.clockwork.measure.paired_runs import run_schedules
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.families.clockwork.runtime.engines import with_value
from pixelwise.files import write_json
from pixelwise.identity import sha256_file
from pixelwise.inference.session import (
    GEOMETRY,
    PREDICTION,
    Provider,
    Segmenter,
    graph_file,
    open_model,
    stacked,
    truth,
)
from pixelwise.metrics.confusion import Absent, Counts, compute_scores, count_pixels
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.evaluation import Evaluation, percent
from pixelwise.reporting.grid import GridRow


class EvaluateParams(Params):
    """Section `<family>.evaluate`."""

    split: str = Field("val", min_length=1, description="split of the data to score")
    batch_size: PositiveInt = Field(8, description="images predicted at once, where neighbours are of equal size")
    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    absent: Absent = Field(
        "exclude", description="a class without a truth pixel: out of the means, or IU 0 where it was predicted"
    )
    classes: tuple[str, ...] = Field((), description="classes that the means are over, joined by commas; none: all")
    pictures: PositiveInt = Field(6, description="images in the picture grid, the worst among them")


def run(
    params: EvaluateParams,
    model: Annotated[Path, "folder of the exported model, its .onnx file, or models:/NAME@ALIAS"],
    *,
    out: Annotated[Path | None, "folder for metrics.json, plots and report.html"] = None,
    data: Annotated[Path | None, "prepared data; or give --dataset and --root"] = None,
    dataset: Annotated[str | None, "how to read --root: " + ", ".join(READERS)] = None,
    root: Annotated[Path | None, "folder of a data set as it comes"] = None,
    json: Annotated[Path | None, "file to write the scores to as JSON"] = None,
    schedule: Annotated[str | None, "of a clockwork, over the clips: NAME[:VALUE], or frontier: all, paired"] = None,
) -> Evaluation | Frontier:
    """Score a model on one split of the prepared data, or of a data set as it comes, through ONNX Runtime.

    A model that labels the geometry alone is scored on its classes. Raises DataError where the split is empty, its
    classes are not the model's or it lacks a layer, ModelError where the model cannot run or is not in stages,
    ParamsError where there is no such schedule.
    """
    model = resolve_model_folder(model)
    staged = open_staged(model, params.provider) if schedule else None
    segmenter = staged.plain if staged else open_model(model, params.provider)
    split = open_split(params.split, data, dataset, root, segmenter.layers)
    classes = classes_of(segmenter, split)
    table = lookup(segmenter.names, classes.names)
    file = graph_file(model)
    if staged and schedule == "frontier":
        return measured_frontier(params, model, staged, split, table, out, json)
    started = time.perf_counter()
    speed: Mapping[str, Any] = {}
    if staged and schedule:
        ids, counts, speed = measure_schedule(staged, split, schedule, table)
    else:
        ids, counts = measure(segmenter, split.samples, params.batch_size, table)
    total = {name: each.sum(axis=0) for name, each in counts.items()}
    found = Evaluation(
        model=file,
        model_sha256=sha256_file(file),
        dataset=split.dataset,
        data_sha256=split.data_sha256,
        split=params.split,
        provider=segmenter.provider,
        seconds=time.perf_counter() - started,
        classes=classes,
        ids=ids,
        counts=counts[segmenter.outputs[0]],
        scores=compute_scores(total[segmenter.outputs[0]], params.absent, chosen(classes.names, params.classes)),
        further=further_scores(total),
        speed=speed,
        out=out,
    )
    if json:
        write_json(json, found.metrics())
    if out:
        rows = grid_rows(found, segmenter, split.samples, params.pictures, table)
        write_and_record(out, found, rows, segmenter.metadata)
    return found


def chosen(names: Sequence[str], classes: Sequence[str]) -> np.ndarray | None:
    """Which of `names` are among `classes`, (K,) bool; None for all. Raises ParamsError at a class that is unknown."""
    for name in classes:
        if name not in names:
            raise ParamsError(f"classes: found {name}, expected some of: {', '.join(names)}")
    return np.isin(names, classes) if classes else None


def require_same_classes(model: Sequence[str], data: Sequence[str]) -> None:
    """Raise DataError naming the first difference between the classes of the model and of the data."""
    if len(model) != len(data):
        raise DataError(f"classes: the data has {len(data)}, the model has {len(model)}: {', '.join(model)}")
    for index, (ours, theirs) in enumerate(zip(model, data, strict=True)):
        if ours != theirs:
            raise DataError(f"class {index}: {theirs!r} in the data, but {ours!r} in the model")


def further_scores(total: Mapping[str, Counts]) -> dict[str, float]:
    """What training also scores, from the (K, K) counts of every map."""
    return {"geometry_accuracy": compute_scores(total["geometry"]).pixel_accuracy} if "geometry" in total else {}


def classes_of(segmenter: Segmenter, split: Split) -> Classes:
    """The classes of the map that is scored. Raises DataError where the data's are neither the model's nor fewer."""
    if segmenter.outputs[0] != PREDICTION:
        return Classes(segmenter.names, segmenter.palette)
    if not len(split.classes):
        raise DataError(f"data set {split.dataset}: no labels, expected some to score")
    if lookup(segmenter.names, split.classes.names) is None:
        require_same_classes(model=segmenter.names, data=split.classes.names)
    return split.classes


def measure(
    segmenter: Segmenter, samples: Sequence[Sample], batch_size: int, table: np.ndarray | None = None
) -> tuple[tuple[str, ...], dict[str, Counts]]:
    """The ids, and the (M, K, K) pixel counts of each image for every map that the model gives.

    table: the data's class for each of the model's, where the two differ.
    """
    known = len(segmenter.names) if table is None else int(table.max()) + 1
    ids: list[str] = []
    counts: dict[str, list[Counts]] = {name: [] for name in segmenter.outputs}
    for sample, maps in progress(predict_all(segmenter, samples, batch_size), "evaluate", total=len(samples)):
        try:
            for name, prediction in maps.items():
                found = renamed(prediction, table) if name == PREDICTION else prediction
                classes = known if name == PREDICTION else len(GEOMETRY)
                counts[name].append(count_pixels(truth(name, sample), found, classes))
        except DataError as error:
            raise DataError(f"{sample.id}: {error}") from None
        ids.append(sample.id)
    return tuple(ids), {name: np.stack(each) for name, each in counts.items()}


def measure_schedule(
    staged: Staged, split: Split, schedule: str, table: np.ndarray | None
) -> tuple[tuple[str, ...], dict[str, Counts], Mapping[str, Any]]:
    """As `measure`, for a clockwork on a schedule, and how fast it was."""
    (ran,) = run_schedules(staged, split.samples, [with_value(staged, schedule)], rounds=1, table=table)
    return tuple(ran.ids), {PREDICTION: np.stack(ran.counts)}, ran.speed()


def measured_frontier(
    params: EvaluateParams,
    model: Path,
    staged: Staged,
    split: Split,
    table: np.ndarray | None,
    out: Path | None,
    json: Path | None,
) -> Frontier:
    """Every schedule's score and speed, paired with the frame oracle's."""
    mean_over = chosen(split.classes.names, params.classes)
    frames, points = measure_frontier(staged, split.samples, params.absent, mean_over, table)
    found = Frontier(model, split.dataset, params.split, staged.plain.provider, frames, points, out)
    if json:
        write_json(json, found.metrics())
    if out:
        from pixelwise.families.clockwork.measure.frontier_page import write_frontier

        write_frontier(out, found)
    return found


def predict_all(
    segmenter: Segmenter, samples: Sequence[Sample], batch_size: int
) -> Iterator[tuple[Sample, dict[str, np.ndarray]]]:
    """Every sample with its maps (H, W) by name; neighbours of equal size are predicted at once."""
    everything = (samples[index] for index in range(len(samples)))
    for _, alike in itertools.groupby(everything, key=lambda sample: sample.image.shape):
        while batch := list(itertools.islice(alike, batch_size)):
            maps = segmenter.label(stacked(batch))
            for index, sample in enumerate(batch):
                yield sample, {name: values[index] for name, values in maps.items()}


def grid_rows(
    found: Evaluation, segmenter: Segmenter, samples: Sequence[Sample], pictures: int, table: np.ndarray | None
) -> list[GridRow]:
    """The worst image and others spread evenly over the split, predicted once more: predictions are not kept."""
    mean_ius, output = found.image_mean_ius(), segmenter.outputs[0]
    worst = int(np.nanargmin(mean_ius))
    others = [index for index in range(len(samples)) if index != worst]
    spread = np.linspace(0, len(others) - 1, min(pictures - 1, len(others))).round().astype(int)
    rows = []
    for index in sorted([worst, *(others[place] for place in spread)]):
        sample = samples[index]
        note = "   worst of the split" if index == worst and len(samples) > 1 else ""
        caption = f"{sample.id}   mean IU {percent(mean_ius[index])} %{note}"
        prediction = renamed(segmenter.label(stacked([sample]))[output][0], table)
        rows.append(GridRow(caption, sample.image, truth(output, sample), prediction))
    return rows


def write_and_record(out: Path, found: Evaluation, rows: Sequence[GridRow], metadata: dict[str, Any]) -> None:
    """Write all files under `out`, and add them to the MLflow run of the training where the model names one."""
    # Plots take a second to import, and a score alone needs none.
    from pixelwise.reporting.results import write_results

    folder = ModelFolder.around(found.model)
    run_id = read_json(folder.run, "a model of ours", default={}).get("run_id")
    history = read_json(folder.history, "a model of ours", list[Any], default=[])
    origins = {
        "Model": {
            "file": found.model,
            "sha256": found.model_sha256,
            "family": metadata.get("family"),
            "fingerprint": metadata.get("fingerprint"),
            "MLflow run": run_id,
        },
        "Data": {
            "data set": found.dataset,
            "split": found.split,
            "images": len(found.ids),
            "manifest sha256": found.data_sha256,
            "provider": found.provider,
        },
        "Export": read_json(folder.export, "a model of ours", default={}),
        "int8": read_json(ModelFolder(folder.int8).quantization, "a model of ours", default={}),
    }
    files = write_results(out, found, rows, history, origins)
    if run_id:
        from pixelwise import tracking

        tracking.record(folder.run, tracked_metrics(found), files)


def tracked_metrics(found: Evaluation) -> dict[str, float]:
    """The scores under the names that every family's runs share."""
    metrics, four = found.metrics(), ("mean_iu", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iu")
    tracked = {name: metrics[name] for name in (*four, *found.further)}
    for name, iu in metrics["per_class"].items():
        if iu is not None:
            # MLflow refuses other characters in names, and a class may be called what its data set likes.
            tracked["iu/" + re.sub(r"[^\w .-]", "_", name)] = iu
    return {f"evaluate/{found.split}/{name}": value for name, value in tracked.items()}


def main(argv: list[str] | None = None) -> None:
    """Run the step from the command line; a guided model has scores, and so options, of its own."""
    with command.plain_errors():
        model = resolve_model_folder(Path(command.value_of("model", argv, default="")))
    is_guided = command.value_of("section", argv, default="").startswith("guided.")
    if is_guided or ModelFolder(model).graph("guide").is_file():
        from pixelwise.families.guided.measure import evaluation

        command.main(evaluation.run, argv=argv)
    else:
        command.main(run, argv=argv)


if __name__ == "__main__":
    main()
