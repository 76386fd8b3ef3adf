"""What a task is segmented by: a late guide's graphs or an early guide's, each beside its baselines (thesis §4.4)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from pixelwise.families.guided.episodes import annotate_points
from pixelwise.families.guided.runtime.clicks import make_hint
from pixelwise.families.guided.runtime.early import EarlyModel
from pixelwise.families.guided.runtime.guidance import Shot, merge
from pixelwise.families.guided.runtime.guided_model import MOST_CELLS, Features, GuidedModel
from pixelwise.families.guided.runtime.refine import select_surest, settle
from pixelwise.families.guided.runtime.working_size import label

# Maps features to a label without guidance: the baseline that guidance must beat.
Baseline = Callable[[Features], np.ndarray]
# The features of a picture of the support, and its annotation (K, H, W).
Annotated = tuple[Features, np.ndarray]
# Returns a baseline that is fine-tuned to a support.
Tuner = Callable[[Sequence[Annotated]], Baseline]
# Points (x, y) of each class.
Points = Sequence[Sequence[tuple[int, int]]]


class Answer(NamedTuple):
    """Labels (H, W) of a query: guided, without guidance, and by the fine-tuned baseline if there is one."""

    guided: np.ndarray
    unguided: np.ndarray
    tuned: np.ndarray | None = None


class Segmenter(Protocol):
    """Segments the query of a task of two classes."""

    def segment(self, query: np.ndarray, support: Sequence[tuple[np.ndarray, np.ndarray]], is_sparse: bool) -> Answer:
        """Return the labels of `query` (H, W, 3), guided by pictures (H, W, 3) with annotations (2, H, W)."""

    def segment_itself(self, image: np.ndarray, points: Points) -> Answer:
        """Return the labels of a picture (H, W, 3) that is guided by points in itself."""


@dataclass(frozen=True)
class LateSegmenter:
    """A late guide: the support's cells and means guide, and the query's surest pixels one shot more."""

    model: GuidedModel
    baseline: Baseline
    tune: Tuner | None = None

    def segment(self, query: np.ndarray, support: Sequence[tuple[np.ndarray, np.ndarray]], is_sparse: bool) -> Answer:
        """Return the labels of `query` as `Segmenter` does."""
        annotated = [(self.model.encode(image), annotation) for image, annotation in support]
        shots = [shot for picture in annotated for shot in make_shots(self.model, picture, is_sparse)]
        features, guidance = self.model.encode(query), merge(shots).thinned(MOST_CELLS)
        guided = label(self.model.segment(features, settle(self.model, features, guidance)))
        tuned = self.tune(annotated)(features) if self.tune else None
        return Answer(guided, self.baseline(features), tuned)

    def segment_itself(self, image: np.ndarray, points: Points) -> Answer:
        """Return the labels of a picture as after so many clicks: the points guide, and their places are a hint."""
        features = self.model.encode(image)
        guidance = merge([self.model.guide(features, annotate_points(points, *image.shape[:2]))])
        guided = label(self.model.segment(features, guidance, make_hint(points, features.grid)))
        return Answer(guided, self.baseline(features))


@dataclass(frozen=True)
class EarlySegmenter:
    """A guide by early fusion, alone."""

    model: EarlyModel

    def segment(self, query: np.ndarray, support: Sequence[tuple[np.ndarray, np.ndarray]], is_sparse: bool) -> Answer:  # noqa: ARG002
        """Return the labels of `query` as `Segmenter` does."""
        guided = self.model.segment(query, self.model.guide(support))
        return Answer(label(guided), label(self.model.segment_alone(query)))

    def segment_itself(self, image: np.ndarray, points: Points) -> Answer:
        """Return the labels of a picture by one pass over it and its points."""
        guided = self.model.segment_itself(image, annotate_points(points, *image.shape[:2]))
        return Answer(label(guided), label(self.model.segment_alone(image)))


def make_shots(model: GuidedModel, picture: Annotated, is_sparse: bool) -> list[Shot]:
    """Return the shot of an annotated picture; if it has points, also the shot of its surest pixels."""
    shot = model.guide(*picture)
    sure = select_surest(model, picture[0], merge([shot])) if is_sparse else None
    return [shot, sure] if sure else [shot]
