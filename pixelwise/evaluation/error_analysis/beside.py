"""Compare a model with another one on the same pictures: what only it has right, and what only the other has."""

from functools import partial
from pathlib import Path

import numpy as np

from pixelwise.data.class_mapping import map_classes
from pixelwise.data.items import VOID
from pixelwise.evaluation.error_analysis.best import Best
from pixelwise.evaluation.error_analysis.picture import ScoredPicture
from pixelwise.evaluation.scoring import Scoring, make_scoring, require_same_classes
from pixelwise.inference.session import Segmenter, stack_samples
from pixelwise.metrics.confusion import Counts, count_pixels
from pixelwise.metrics.regions import Regions, describe_regions
from pixelwise.reporting.errors.analysis import Beside
from pixelwise.reporting.errors.crops import Crop, cut_region

# Regions that are shown of the gains, and of the losses.
CHANGES = 6


def make_scoring_beside(model: Path, segmenter: Segmenter, scoring: Scoring) -> Scoring:
    """Make the scoring of the other `model` on the split of `scoring`. Raises DataError if their classes differ."""
    other = make_scoring(model, segmenter, scoring.split)
    require_same_classes(model=other.classes.names, data=scoring.classes.names)
    return other


class BesideCollector:
    """Labels each picture with the other model, and collects the differences. other: that model on the same split."""

    def __init__(self, other: Scoring) -> None:
        self.other, classes = other, len(other.classes)
        self.counts: Counts = np.zeros((classes, classes), np.int64)
        self.gained, self.lost = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
        self.gains: Best[Crop] = Best(CHANGES)
        self.losses: Best[Crop] = Best(CHANGES)

    def add(self, picture: ScoredPicture, objects: Regions) -> None:
        """Add a picture that the evaluated model has labelled. objects: of its label."""
        sample, output = picture.sample, self.other.segmenter.outputs[0]
        maps = self.other.segmenter.label(stack_samples([sample]))
        other = map_classes(maps[output][0], self.other.table)
        label, classes = picture.label, len(self.counts)
        self.counts += count_pixels(label, other, classes)
        right, other_right = picture.prediction == label, other == label
        labelled = label != VOID
        for changed, wrong, total, best in (
            (labelled & right & ~other_right, other, self.gained, self.gains),
            (labelled & ~right & other_right, picture.prediction, self.lost, self.losses),
        ):
            total[:] += np.bincount(label[changed], minlength=classes)
            for region in describe_regions(picture.place, label, wrong, changed, None, objects):
                cut = partial(cut_region, sample.id, sample.image, {**picture.maps, "beside": other}, region)
                best.offer(region.pixels, (picture.source, region.label, region.prediction), cut)

    def finish(self) -> Beside:
        """What was found, by the name of the other model's folder."""
        return Beside(
            str(self.other.model), self.counts, self.gained, self.lost, self.gains.items(), self.losses.items()
        )
