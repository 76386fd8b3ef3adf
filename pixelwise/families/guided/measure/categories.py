"""Score guided masks of categories with few pictures against two baselines: unguided, fine-tuned (thesis §4.4.1)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pixelwise.data.prepared import Sample
from pixelwise.errors import DataError
from pixelwise.families.guided.episodes import LEAST_PIXELS, annotate, annotate_points, draw_points, make_target
from pixelwise.families.guided.measure.segmenters import Baseline, Segmenter
from pixelwise.families.guided.measure.tally import CategoryScores, Sampling, Tally
from pixelwise.families.guided.runtime.guided_model import Features
from pixelwise.families.guided.runtime.working_size import label, reduce
from pixelwise.inference.session import Provider, open_session, run_graph
from pixelwise.metrics.positive_iu import compute_positive_iu
from pixelwise.model_folder import ModelFolder
from pixelwise.progress import progress

# A picture (H, W, 3) and its label (H, W).
Labelled = tuple[np.ndarray, np.ndarray]


def score_categories(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    names: Sequence[str],
    categories: Sequence[str],
    sampling: Sampling,
) -> CategoryScores:
    """Score masks of `categories` (none: all that are large enough), guided by pictures as `sampling` says.

    Support and query show two categories each: a picture of the category beside one of another, in random order. Only
    the guidance tells which of the two is meant. Raises DataError if a named category is too small or fewer than two
    are left.
    """
    members = choose_categories(samples, names, categories, sampling.shots)
    tally = Tally(sampling)
    for value, index in progress(choose_tasks(members, sampling.tasks), "evaluate"):
        rng = np.random.default_rng((sampling.seed, value, index))
        if len(members[value]) <= sampling.shots:
            count = len(members[value]) - 1
            raise DataError(f"{names[value]}: found {count} other pictures, expected {sampling.shots} for the support")
        (query, truth), support = draw_episode(samples, members, value, index, sampling.shots, rng)
        annotated = [(image, draw_annotation(mask, sampling.points, rng)) for image, mask in support]
        answer = segmenter.segment(query, annotated, is_sparse=sampling.points is not None)
        tally.add(names[value], samples[index].id, truth, answer.guided, answer.unguided)
        if answer.tuned is not None:
            tally.tuned.append(compute_positive_iu(answer.tuned, truth, 1))
    return tally.average()


def choose_categories(
    samples: Sequence[Sample], names: Sequence[str], categories: Sequence[str], shots: int
) -> dict[int, list[int]]:
    """Return the indices of the pictures of each category; without named ones, of those with more than `shots`.

    Raises DataError if fewer than two categories have pictures.
    """
    members = index_pictures(samples, names, categories)
    large = {value: indices for value, indices in members.items() if len(indices) > shots}
    if not categories and len(large) > 1:
        members = large
    if len(members) < 2:
        raise DataError(f"classes: found {len(members)} with pictures, expected two or more to tell apart")
    return members


def draw_episode(
    samples: Sequence[Sample],
    members: Mapping[int, Sequence[int]],
    value: int,
    index: int,
    shots: int,
    rng: np.random.Generator,
) -> tuple[Labelled, list[Labelled]]:
    """Draw the query and the support of one task: category `value` in picture `index`, beside another category."""
    rival = members[int(rng.choice([other for other in members if other != value]))]
    query = join_side_by_side(samples[index], samples[int(rng.choice(rival))], value, rng)
    others = [other for other in members[value] if other != index]
    support = [
        join_side_by_side(samples[int(other)], samples[int(rng.choice(rival))], value, rng)
        for other in rng.choice(others, shots, replace=False)
    ]
    return query, support


def choose_tasks(members: Mapping[int, Sequence[int]], most: int) -> list[tuple[int, int]]:
    """Return at most `most` tasks (class, picture), spread over the categories."""
    tasks = [(value, index) for value, indices in members.items() for index in indices]
    return [tasks[number] for number in np.linspace(0, len(tasks) - 1, min(most, len(tasks))).astype(int)]


def index_pictures(samples: Sequence[Sample], names: Sequence[str], categories: Sequence[str]) -> dict[int, list[int]]:
    """Return the indices of the pictures with each class. Raises DataError if a named category is unknown."""
    for name in categories:
        if name not in names:
            raise DataError(f"classes: found {name}, expected some of: {', '.join(names)}")
    wanted = [names.index(name) for name in categories] or list(range(1, len(names)))
    members: dict[int, list[int]] = defaultdict(list)
    for index in range(len(samples)):
        counts = np.bincount(samples[index].label.ravel(), minlength=256)
        for value in wanted:
            if counts[value] >= LEAST_PIXELS:
                members[value].append(index)
    return dict(members)


def join_side_by_side(first: Sample, second: Sample, value: int, rng: np.random.Generator) -> Labelled:
    """Join two pictures side by side in random order; return the picture and the binary truth of class `value`.

    Both are at the size at which a picture of twice the width is labelled.
    """
    size = (first.image.shape[1], first.image.shape[0])
    second_image = np.asarray(Image.fromarray(second.image).resize(size, Image.Resampling.BILINEAR))
    second_label = np.asarray(Image.fromarray(second.label).resize(size, Image.Resampling.NEAREST))
    pair = [(first.image, make_target(first.label, value)), (second_image, make_target(second_label, value))]
    if rng.random() < 0.5:
        pair.reverse()
    image, truth = (np.concatenate([pair[0][part], pair[1][part]], axis=1) for part in (0, 1))
    return reduce(image), reduce(truth)


def draw_annotation(truth: np.ndarray, points: int | None, rng: np.random.Generator) -> np.ndarray:
    """Return the annotation (2, H, W) of a picture by its `truth` (H, W): dense, or `points` of each class."""
    return annotate(truth) if points is None else annotate_points(draw_points(truth, points, rng), *truth.shape)


def open_baseline(model: Path, provider: Provider) -> Baseline:
    """Open the foreground–background graph of an exported guided `model`.

    It segments any object and learnt from the same episodes. Raises ModelError if it is missing.
    """
    graph = open_session(ModelFolder(model).graph("foreground"), provider)

    def segment(features: Features) -> np.ndarray:
        size = np.zeros(features.size, np.uint8)
        (logits,) = run_graph(graph, None, {"embedding": features.embedding, "fine": features.fine, "size": size})
        return label(logits[0])

    return segment
