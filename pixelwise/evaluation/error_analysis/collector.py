"""Collect a model's errors picture by picture: counts, and crops of the worst. It keeps no whole picture."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from pixelwise.data.items import VOID
from pixelwise.evaluation.error_analysis.beside import BesideCollector
from pixelwise.evaluation.error_analysis.best import Best
from pixelwise.evaluation.error_analysis.picture import ScoredPicture
from pixelwise.evaluation.error_analysis.slices import PictureFacts
from pixelwise.metrics.boundary import fill_void_outside, find_class_boundary_band
from pixelwise.metrics.confusion import Counts, compute_mean_iu_or_nan, count_pixels
from pixelwise.metrics.object_sizes import count_objects, make_size_counts
from pixelwise.metrics.regions import Regions, describe_regions, find_objects
from pixelwise.metrics.suspects import Suspects
from pixelwise.reporting.errors.crops import Crop, cut_region, keep_picture

# How many of each are shown on the page; examples of each class.
PICTURES, REGIONS, EXAMPLES = 6, 12, 3


class ErrorCollector:
    """Collects the errors of a model of `classes` classes.

    beside: collects the differences from another model. table: lines of a user's table, for slices by its columns.
    """

    def __init__(
        self, classes: int, beside: BesideCollector | None = None, table: Sequence[Mapping[str, str]] = ()
    ) -> None:
        self.classes, self.beside, self.table = classes, beside, table
        self.boundary: Counts = np.zeros((classes, classes), np.int64)
        self.sizes = make_size_counts(classes)
        self.confidence = np.zeros(classes)
        self.facts: list[PictureFacts] = []
        self.pictures: Best[Crop] = Best(PICTURES)
        self.regions: Best[Crop] = Best(REGIONS)
        self.examples: defaultdict[int, Best[Crop]] = defaultdict(lambda: Best(EXAMPLES))
        self.suspects = Suspects()

    def add(self, picture: ScoredPicture) -> None:
        """Add the next picture of the split."""
        label, prediction = picture.label, picture.prediction
        labelled = label != VOID
        self.facts.append(PictureFacts.measure(picture.clip, picture.sample.image))
        self.boundary += count_pixels(fill_void_outside(label, find_class_boundary_band), prediction, self.classes)
        objects = find_objects(label)
        self.sizes += count_objects(objects, prediction == label, self.classes)
        if picture.confidence is not None:
            self.confidence += np.bincount(prediction[labelled], picture.confidence[labelled], self.classes)
        self.keep_worst(picture, objects)
        if self.beside:
            self.beside.add(picture, objects)

    def keep_worst(self, picture: ScoredPicture, objects: Regions) -> None:
        """Keep the picture and its wrong regions where they are among the worst. objects: of its label."""
        id_, image, maps = picture.sample.id, picture.sample.image, picture.maps
        if not np.isnan(mean_iu := compute_mean_iu_or_nan(picture.counts)):
            self.pictures.offer(-mean_iu, id_, partial(keep_picture, id_, image, maps, mean_iu))
        label, prediction = picture.label, picture.prediction
        wrong = (label != VOID) & (label != prediction)
        for region in describe_regions(picture.place, label, prediction, wrong, picture.confidence, objects):
            cut, size = partial(cut_region, id_, image, maps, region), region.pixels * region.confidence
            self.regions.offer(size, (picture.source, region.label, region.prediction), cut)
            self.examples[region.label].offer(size, (picture.source, region.prediction), cut)
            self.suspects.add(region)
