"""The scores of guided tasks: one by one as they are found, and their means (thesis §4.4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixelwise.metrics.measurement import Measurement
from pixelwise.metrics.positive_iu import compute_positive_iu


class Sampling(NamedTuple):
    """Supports of `shots` pictures with `points` per class, None for dense masks, for at most `tasks` tasks.

    interactive: the support is the query itself.
    """

    shots: int
    points: int | None
    tasks: int
    seed: int
    interactive: bool = False

    def __str__(self) -> str:
        support = "interactive" if self.interactive else f"{self.shots} shot{'s' * (self.shots != 1)}"
        return f"{support}, {'dense masks' if self.points is None else f'{self.points} points'}"


@dataclass(frozen=True)
class CategoryScores:
    """Positive IU averaged over masks: guided, without guidance, per category, and fine-tuned if that was requested.

    by_task: the scores of each task, (M,), under the names of their means.
    """

    positive_iu: float
    foreground_background: float
    mean_iu: float
    per_category: Mapping[str, float]
    sampling: Sampling
    measurement: Measurement
    fine_tuned: float | None = None
    by_task: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """Return the scores as JSON."""
        return {
            "positive_iu": self.positive_iu,
            "foreground_background": {"positive_iu": self.foreground_background},
            **({} if self.fine_tuned is None else {"fine_tuned": {"positive_iu": self.fine_tuned}}),
            "mean_iu": self.mean_iu,
            "per_category": dict(self.per_category),
            "tasks": len(self.measurement.ids),
            "shots": self.sampling.shots,
            "points": self.sampling.points,
            "measures": {"positive IU": "positive_iu"},
            "scored_on": f"{self.measurement.extent}, {self.sampling}",
            **self.origin,
        }

    def __str__(self) -> str:
        tuned = "" if self.fine_tuned is None else f"fine-tuned {self.fine_tuned:.3f} "
        return (
            f"positive IU {self.positive_iu:.3f}, foreground–background {self.foreground_background:.3f} "
            f"{tuned}({self.measurement.extent}, {self.sampling}; mean IU {self.mean_iu:.3f})"
        )


@dataclass
class Tally:
    """The tasks scored so far, in order: their ids, categories, object pixels, and IUs (thesis §4.4).

    guided, negative: of the object and of the rest, with guidance. unguided, tuned: of the object, by the baselines.
    """

    sampling: Sampling
    ids: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    labelled: list[int] = field(default_factory=list)
    guided: list[float] = field(default_factory=list)
    negative: list[float] = field(default_factory=list)
    unguided: list[float] = field(default_factory=list)
    tuned: list[float] = field(default_factory=list)

    def add(self, category: str, picture: str, truth: np.ndarray, prediction: np.ndarray, plain: np.ndarray) -> None:
        """Add a task: category and query, then the query's truth, guided and unguided prediction, (H, W) each."""
        # A task is another one with another support.
        self.ids.append(f"{category} in {picture}, {self.sampling}, seed {self.sampling.seed}")
        self.categories.append(category)
        self.labelled.append(int((truth == 1).sum()))
        self.guided.append(compute_positive_iu(prediction, truth, 1))
        self.negative.append(compute_positive_iu(prediction, truth, 0))
        self.unguided.append(compute_positive_iu(plain, truth, 1))

    def average(self) -> CategoryScores:
        """Return the means over all tasks, and over those of each category."""
        guided, categories = np.array(self.guided), np.array(self.categories)
        return CategoryScores(
            positive_iu=float(guided.mean()),
            foreground_background=float(np.mean(self.unguided)),
            mean_iu=float(np.mean([*self.guided, *self.negative])),
            per_category={name: float(guided[categories == name].mean()) for name in dict.fromkeys(self.categories)},
            sampling=self.sampling,
            measurement=Measurement(
                "positive IU", "task", tuple(self.ids), guided, labelled=np.array(self.labelled, np.int64)
            ),
            fine_tuned=float(np.mean(self.tuned)) if self.tuned else None,
            by_task={
                "positive_iu": guided,
                "foreground_background": np.array(self.unguided),
                "mean_iu": np.mean([self.guided, self.negative], axis=0),
                **({"fine_tuned": np.array(self.tuned)} if self.tuned else {}),
            },
        )
