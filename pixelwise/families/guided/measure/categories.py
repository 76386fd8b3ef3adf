"""Score guided masks of categories with few pictures against two baselines: unguided, fine-tuned (thesis §4.4.1)."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from pixelwise.data.prepared import Sample
from pixelwise.errors import DataError
from pixelwise.families.guided.episodes import LEAST_PIXELS, annotate, annotate_points, draw_points, make_target
from pixelwise.families.guided.runtime.guidance import Shot, merge
from pixelwise.families.guided.runtime.refine import settle, surest
from pixelwise.families.guided.runtime.session import MOST_CELLS, Features, GuidedModel
from pixelwise.families.guided.runtime.working_size import label
from pixelwise.inference.session import Provider, open_session, run_graph
from pixelwise.metrics.positive_iu import compute_positive_iu
from pixelwise.model_folder import ModelFolder
from pixelwise.progress import progress

# Maps features to a label without guidance: the baseline that guidance must beat.
Floor = Callable[[Features], np.ndarray]
# A picture of the support and its annotation (K, H, W).
Told = tuple[Features, np.ndarray]
Tuner = Callable[[Sequence[Told]], Floor]


class Support(NamedTuple):
    """Supports of `shots` pictures with `points` per class, None for dense masks, for at most `tasks` tasks."""

    shots: int
    points: int | None
    tasks: int
    seed: int


@dataclass(frozen=True)
class CategoryScores:
    """Positive IU averaged over masks: guided, without guidance, per category, and fine-tuned if that was requested."""

    positive_iu: float
    foreground_background: float
    mean_iu: float
    per_category: Mapping[str, float]
    tasks: int
    shots: int
    points: int | None
    fine_tuned: float | None = None

    def metrics(self) -> dict[str, Any]:
        """Return the scores as JSON."""
        return {
            "positive_iu": self.positive_iu,
            "foreground_background": {"positive_iu": self.foreground_background},
            **({} if self.fine_tuned is None else {"fine_tuned": {"positive_iu": self.fine_tuned}}),
            "mean_iu": self.mean_iu,
            "per_category": dict(self.per_category),
            "tasks": self.tasks,
            "shots": self.shots,
            "points": self.points,
        }

    def __str__(self) -> str:
        said = "dense" if self.points is None else f"{self.points} points a class"
        tuned = "" if self.fine_tuned is None else f"fine-tuned {self.fine_tuned:.3f} "
        return (
            f"positive IU {self.positive_iu:.3f}, foreground–background {self.foreground_background:.3f} "
            f"{tuned}({self.tasks} tasks, {self.shots} shots, {said}; mean IU {self.mean_iu:.3f})"
        )


def score_categories(
    model: GuidedModel,
    floor: Floor,
    samples: Sequence[Sample],
    names: Sequence[str],
    chosen: Sequence[str],
    support: Support,
    tune: Tuner | None = None,
) -> CategoryScores:
    """Score masks of the categories `chosen` (none: all that are large enough), guided by pictures as in `support`.

    Support and query show two categories each: a picture of the category beside one of another, in random order. Only
    the guidance tells which of the two is meant. `floor` segments the same queries without guidance. `tune` returns a
    segmenter fine-tuned on the support. Raises DataError if a chosen category is too small or fewer than two are left.
    """
    members = pictures_of(samples, names, chosen)
    enough = {value: pictures for value, pictures in members.items() if len(pictures) > support.shots}
    if not chosen and len(enough) > 1:
        members = enough
    if len(members) < 2:
        raise DataError(f"classes: found {len(members)} with pictures, expected two or more to tell apart")
    guided: dict[str, list[float]] = defaultdict(list)
    unguided, negatives, tuned = [], [], []
    for value, index in progress(tasks_of(members, support.tasks), "evaluate"):
        rng = np.random.default_rng((support.seed, value, index))
        others = [other for other in members[value] if other != index]
        if len(others) < support.shots:
            raise DataError(
                f"{names[value]}: found {len(others)} other pictures, expected {support.shots} for the support"
            )
        rival = int(rng.choice([other for other in members if other != value]))
        query, truth = beside(samples[index], samples[int(rng.choice(members[rival]))], value, rng)
        supports = [
            beside(samples[int(other)], samples[int(rng.choice(members[rival]))], value, rng)
            for other in rng.choice(others, support.shots, replace=False)
        ]
        told = [annotated(model, image, said, support.points, rng) for image, said in supports]
        shots = [shot for each in told for shot in shots_of(model, each, support.points)]
        guidance = merge(shots).thinned(MOST_CELLS)
        features = model.encode(query)
        prediction = label(model.segment(features, settle(model, features, guidance)))
        guided[names[value]].append(compute_positive_iu(prediction, truth, 1))
        negatives.append(compute_positive_iu(prediction, truth, 0))
        unguided.append(compute_positive_iu(floor(features), truth, 1))
        if tune:
            tuned.append(compute_positive_iu(tune(told)(features), truth, 1))
    return mean_scores(guided, unguided, negatives, support, tuned)


def mean_scores(
    guided: Mapping[str, Sequence[float]],
    unguided: Sequence[float],
    negatives: Sequence[float],
    support: Support,
    tuned: Sequence[float] = (),
) -> CategoryScores:
    """Return the mean IUs over all tasks: guided (by category), unguided, of the negatives, and tuned."""
    every = [score for scores in guided.values() for score in scores]
    return CategoryScores(
        positive_iu=float(np.mean(every)),
        foreground_background=float(np.mean(unguided)),
        mean_iu=float(np.mean([*every, *negatives])),
        per_category={name: float(np.mean(scores)) for name, scores in guided.items()},
        tasks=len(every),
        shots=support.shots,
        points=support.points,
        fine_tuned=float(np.mean(tuned)) if tuned else None,
    )


def tasks_of(members: Mapping[int, Sequence[int]], most: int) -> list[tuple[int, int]]:
    """Return at most `most` tasks (class, picture), spread over the categories."""
    tasks = [(value, index) for value, indices in members.items() for index in indices]
    return [tasks[place] for place in np.linspace(0, len(tasks) - 1, min(most, len(tasks))).astype(int)]


def pictures_of(samples: Sequence[Sample], names: Sequence[str], chosen: Sequence[str]) -> dict[int, list[int]]:
    """Return the pictures with each class. Raises DataError if a chosen class is unknown."""
    for name in chosen:
        if name not in names:
            raise DataError(f"classes: found {name}, expected some of: {', '.join(names)}")
    wanted = [names.index(name) for name in chosen] or list(range(1, len(names)))
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(samples)):
        counts = np.bincount(samples[index].label.ravel(), minlength=256)
        for value in wanted:
            if counts[value] >= LEAST_PIXELS:
                members[value].append(index)
    return dict(members)


def beside(first: Sample, second: Sample, value: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two pictures side by side in random order, and the binary truth of class `value`."""
    size = (first.image.shape[1], first.image.shape[0])
    other = np.asarray(Image.fromarray(second.image).resize(size, Image.Resampling.BILINEAR))
    theirs = np.asarray(Image.fromarray(second.label).resize(size, Image.Resampling.NEAREST))
    pair = [(first.image, make_target(first.label, value)), (other, make_target(theirs, value))]
    if rng.random() < 0.5:
        pair.reverse()
    return np.concatenate([pair[0][0], pair[1][0]], axis=1), np.concatenate([pair[0][1], pair[1][1]], axis=1)


def annotated(
    model: GuidedModel, image: np.ndarray, said: np.ndarray, points: int | None, rng: np.random.Generator
) -> Told:
    """Return a picture's features and its annotation from `said` (H, W): dense, or `points` of each class."""
    annotation = annotate(said) if points is None else annotate_points(draw_points(said, points, rng), *said.shape)
    return model.encode(image), annotation


def shots_of(model: GuidedModel, told: Told, points: int | None) -> list[Shot]:
    """Return the shot of an annotated picture; if it has points, also the shot of its surest pixels."""
    shot = model.guide(*told)
    found = None if points is None else surest(model, told[0], merge([shot]))
    return [shot, found] if found else [shot]


def open_floor(model: Path, provider: Provider) -> Floor:
    """Open the foreground–background graph of an exported guided `model`.

    It segments any object and learnt from the same episodes. Raises ModelError if it is missing.
    """
    graph = open_session(ModelFolder(model).graph("foreground"), provider)

    def segment(features: Features) -> np.ndarray:
        size = np.zeros(features.size, np.uint8)
        (logits,) = run_graph(graph, None, {"embedding": features.embedding, "fine": features.fine, "size": size})
        return label(logits[0])

    return segment
