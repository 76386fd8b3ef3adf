"""Statistics of pictures as arrays, with the scene that each picture shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.watching.rows import Seen

# Grey levels, log2 of pixels, probability: floors of the standard deviation that a shift is divided by, as in the drift
# rules of `validate`.
GREY, OCTAVES, CONFIDENT = 1.0, 0.5, 0.01
CONFIDENCE = "confidence"
COLOURS = ("red", "green", "blue")
FLOORS = {
    **{f"{moment} of {colour}": GREY for moment in ("mean", "contrast") for colour in COLOURS},
    "size (log2 of pixels)": OCTAVES,
    CONFIDENCE: CONFIDENT,
}


@dataclass(frozen=True)
class Sample:
    """Values of N pictures, (N,) or by class (N, K), and the number of the scene that each shows, (N,)."""

    values: np.ndarray
    scenes: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> np.ndarray:
        """The mean over pictures."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def scene_means(self) -> np.ndarray:
        """The mean of each of the m scenes, (m,) or (m, K)."""
        _, places, counts = np.unique(self.scenes, return_inverse=True, return_counts=True)
        sums = np.zeros((len(counts), *self.values.shape[1:]))
        np.add.at(sums, places, self.values)
        return (sums.T / counts).T

    def select(self, chosen: np.ndarray) -> "Sample":
        """The pictures for which `chosen` (N,) is true."""
        return Sample(self.values[chosen], self.scenes[chosen])

    def select_class(self, k: int) -> "Sample":
        """The values of class k."""
        return Sample(self.values[:, k], self.scenes)


def sample_statistics(rows: Sequence[Seen], scenes: np.ndarray) -> dict[str, Sample]:
    """The values of each statistic of FLOORS that a picture has by itself."""
    columns = np.array(
        [
            (*row.mean, *row.std, np.log2(row.height * row.width), np.nan if row.confidence is None else row.confidence)
            for row in rows
        ]
    ).reshape(len(rows), len(FLOORS))
    samples = {name: Sample(columns[:, place], scenes) for place, name in enumerate(FLOORS)}
    return {name: sample.select(np.isfinite(sample.values)) for name, sample in samples.items()}


def sample_shares(rows: Sequence[Seen], scenes: np.ndarray) -> Sample:
    """The class shares of pictures of one model, (N, K)."""
    return Sample(np.array([row.shares for row in rows]), scenes)
