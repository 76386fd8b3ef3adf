"""The results of an evaluation, as metrics for files and as a table for the terminal."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pixelwise.data.items import Classes
from pixelwise.metrics.confusion import Counts, Scores, compute_mean_iu_or_nan
from pixelwise.metrics.measurement import Measurement
from pixelwise.metrics.reliability import Reliability, compute_calibration_error
from pixelwise.model_folder import ModelFolder


@dataclass(frozen=True)
class Evaluation:
    """One model on one split. `counts` is (M, K, K): the confusion matrix of each image, in the order of `ids`.

    `data_sha256` is the hash of the prepared data's manifest; None for a data set read in its published layout.
    `further` holds additional scores as fractions by name, such as geometry_accuracy. `speed` holds the speed of a
    schedule on video: frames_per_second, stage_share and others. `reliability` is None where the model gives no
    confidence.
    """

    model: Path
    model_sha256: str
    dataset: str
    data_sha256: str | None
    split: str
    provider: str
    seconds: float
    classes: Classes
    ids: tuple[str, ...]
    counts: Counts
    scores: Scores
    further: Mapping[str, float] = field(default_factory=dict)
    speed: Mapping[str, Any] = field(default_factory=dict)
    reliability: Reliability | None = None
    out: Path | None = None

    @property
    def ece(self) -> float | None:
        """The expected calibration error; None where the model gives no confidence."""
        return None if self.reliability is None else compute_calibration_error(self.reliability)

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json: scores as fractions, None for an absent class."""
        ius = (None if math.isnan(iu) else iu for iu in self.scores.per_class)
        return {
            "mean_iu": self.scores.mean_iu,
            "pixel_accuracy": self.scores.pixel_accuracy,
            "mean_accuracy": self.scores.mean_accuracy,
            "frequency_weighted_iu": self.scores.frequency_weighted_iu,
            **self.further,
            **({} if self.ece is None else {"ece": self.ece}),
            **self.speed,
            "per_class": dict(zip(self.classes.names, ius, strict=True)),
            "images": len(self.ids),
            "seconds": round(self.seconds, 3),
            "provider": self.provider,
            "dataset": self.dataset,
            "split": self.split,
            "data": self.data_sha256,
            "classes": list(self.classes.names),
            "model_sha256": self.model_sha256,
            "measures": {"mean IU": "mean_iu", "pixel accuracy": "pixel_accuracy"},
            "scored_on": self.measurement.extent,
        }

    @property
    def measurement(self) -> Measurement:
        """What the release gate judges."""
        return Measurement("mean IU", "image", self.ids, self.counts, "mean IU", self.classes.names)

    def list_named_scores(self) -> dict[str, float]:
        """The four scores of thesis §2.4, the further scores and the calibration error, by display name."""
        return {
            "mean IU": self.scores.mean_iu,
            "pixel accuracy": self.scores.pixel_accuracy,
            "mean accuracy": self.scores.mean_accuracy,
            "frequency weighted IU": self.scores.frequency_weighted_iu,
            **{name.replace("_", " "): value for name, value in self.further.items()},
            **({} if self.ece is None else {"ECE": self.ece}),
        }

    def compute_image_mean_ius(self) -> np.ndarray:
        """(M,) mean IU of each image over its classes; nan for an image that is all void."""
        return np.array([compute_mean_iu_or_nan(counts) for counts in self.counts])

    def __str__(self) -> str:
        rows = [*zip(self.classes.names, self.scores.per_class, strict=True), *self.list_named_scores().items()]
        wide = max(len(name) for name, _ in rows)
        lines = [f"  {name:<{wide}}  {format_percent(value):>5}" for name, value in rows]
        lines.insert(len(self.classes), f"  {'─' * (wide + 7)}")
        page = f"report page: {self.out / 'report.html'}\n" if self.out else ""
        if self.speed:
            shares = ", ".join(f"{name} on {share:.0%}" for name, share in self.speed["stage_share"].items())
            page = f"{self.speed['frames_per_second']:.1f} frames a second; {shares} of the frames\n{page}"
        return (
            f"{self.dataset} {self.split}: {len(self.ids)} images in {self.seconds:.1f} s on {self.provider}\n\n"
            f"  {'class':<{wide}}   IU %\n" + "\n".join(lines) + f"\n\n{page}"
            f"next: pixelwise predict --model {ModelFolder.around(self.model).root} PICTURES --output predictions"
        )


def format_percent(fraction: float) -> str:
    """Format a fraction as a percentage with one decimal place; nan (an absent class) is a dash."""
    return "–" if math.isnan(fraction) else f"{100 * fraction:.1f}"
