"""Precision and recall of the suspected label errors of `pixelwise evaluate`, where labels are made wrong on purpose.

    python -m benchmarks.label_errors --model models/fcn --data data/prepared

A share of the objects of a split gets another class at random. An object is a connected area of one class. A suspect is
right if at least half of its pixels were changed; it finds the object that most of these pixels belong to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from pixelwise import command
from pixelwise.data.items import VOID
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError
from pixelwise.evaluation.counting import predict_all
from pixelwise.files import write_json
from pixelwise.inference.session import CONFIDENCE, PREDICTION, open_model
from pixelwise.metrics.confusion import count_pixels
from pixelwise.metrics.regions import Region, describe_regions, find_objects
from pixelwise.metrics.suspects import Suspects
from pixelwise.params import Params
from pixelwise.progress import progress

# A suspect is right if at least this share of its pixels was changed.
CHANGED = 0.5
RECALLS = (0.25, 0.5, 0.75)


class LabelErrorParams(Params):
    """No section; options only."""

    split: str = Field("val", description="split of the data")
    share: float = Field(0.05, gt=0, lt=1, description="share of the objects that get another class")
    smallest: PositiveInt = Field(100, description="pixels of the smallest object that may get another class")
    seeds: PositiveInt = Field(5, description="how often other objects are drawn")


@dataclass(frozen=True)
class Picture:
    """A picture's label and prediction (H, W) uint8, and the confidence of the prediction (H, W)."""

    label: np.ndarray
    prediction: np.ndarray
    confidence: np.ndarray


@dataclass(frozen=True)
class Precisions:
    """What was found. objects: those of the split that may change. precision: recall -> its precision by seed."""

    pictures: int
    objects: int
    changed: int
    precision: dict[float, list[float]]

    def __str__(self) -> str:
        lines = [f"{self.pictures} pictures; {self.changed} of {self.objects} objects have another class"]
        for recall, values in self.precision.items():
            spread = f"{min(values):.2f} to {max(values):.2f}"
            lines.append(f"recall {recall:.0%}: precision {np.mean(values):.2f} ({spread} over {len(values)} seeds)")
        return "\n".join(lines)


def run(
    params: LabelErrorParams,
    model: Annotated[Path, "folder of an exported model that gives confidence"],
    data: Annotated[Path, "folder of prepared data"],
    out: Annotated[Path | None, "JSON file for the figures"] = None,
) -> Precisions:
    """Measure how well the changed objects are found. Raises DataError where the split has too few objects."""
    segmenter, split = open_model(model), PreparedData(data).split(params.split)
    pictures = [
        Picture(sample.label, maps[PREDICTION], maps[CONFIDENCE].astype(np.float16))
        for sample, maps in progress(predict_all(segmenter, split, 4), "predict", total=len(split))
    ]
    objects = [
        (place, number)
        for place, picture in enumerate(pictures)
        for number in np.flatnonzero(find_objects(picture.label).pixels >= params.smallest).tolist()
    ]
    changed = round(params.share * len(objects))
    if not changed:
        raise DataError(f"split {params.split}: found {len(objects)} objects, expected enough to change some")
    precision: dict[float, list[float]] = {recall: [] for recall in RECALLS}
    for seed in progress(range(params.seeds), "seeds"):
        random = np.random.default_rng(seed)
        chosen = random.choice(len(objects), changed, replace=False)
        found = rank_with_changes(pictures, [objects[index] for index in chosen], len(split.classes), random)
        for recall, value in compute_precisions(found, changed).items():
            precision[recall].append(value)
    report = Precisions(len(pictures), len(objects), changed, precision)
    if out:
        write_json(out, vars(report))
    return report


def rank_with_changes(
    pictures: Sequence[Picture], chosen: Sequence[tuple[int, int]], classes: int, random: np.random.Generator
) -> list[int]:
    """Give the `chosen` objects, (place, number), another class; return the object that each suspect finds, or -1.

    The suspects come in the order of their rank.
    """
    suspects, counts, owners = Suspects(), np.zeros((classes, classes), np.int64), {}
    for place, picture in enumerate(pictures):
        label, owner = picture.label.copy(), np.full(picture.label.shape, -1)
        objects = find_objects(picture.label)
        for index, (at, number) in enumerate(chosen):
            if at == place:
                inside = objects.numbers == number + 1
                other = int(random.integers(classes - 1))
                label[inside] = other + (other >= objects.values[number])
                owner[inside] = index
        counts += count_pixels(label, picture.prediction, classes)
        wrong = (label != VOID) & (label != picture.prediction)
        for region in describe_regions(
            place, label, picture.prediction, wrong, picture.confidence, find_objects(label)
        ):
            suspects.add(region)
            owners[region] = find_owner(region, label, picture.prediction, owner)
    return [owners[suspect.region] for suspect in suspects.rank(counts)]


def find_owner(region: Region, label: np.ndarray, prediction: np.ndarray, owner: np.ndarray) -> int:
    """The changed object that most of the region's pixels belong to, by its index; -1 if fewer than half do."""
    box = np.s_[region.top : region.top + region.height, region.left : region.left + region.width]
    inside = (label[box] == region.label) & (prediction[box] == region.prediction)
    # -1, for the pixels that were not changed, is counted first.
    unchanged, *changed = np.bincount(owner[box][inside] + 1)
    return int(np.argmax(changed)) if changed and unchanged <= (1 - CHANGED) * inside.sum() else -1


def compute_precisions(found: Sequence[int], changed: int) -> dict[float, float]:
    """The precision of the shortest list that finds each share of the `changed` objects; 0 where none does.

    found: the object that each suspect finds, or -1, in the order of their rank.
    """
    rank = np.arange(1, len(found) + 1)
    right = np.cumsum(np.array(found) >= 0)
    owners, first = np.unique(found, return_index=True)
    is_new = np.zeros(len(found))
    is_new[first[owners >= 0]] = 1
    recall = np.cumsum(is_new) / changed
    reached = {share: np.flatnonzero(recall >= share) for share in RECALLS}
    return {share: float(right[at[0]] / rank[at[0]]) if at.size else 0.0 for share, at in reached.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
