"""Studies of kind velocity: how fast the layers of a net change from frame to frame (thesis §3.2, table 3.1)."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import numpy as np
from pydantic import NonNegativeInt

from pixelwise.data.class_mapping import make_class_table, map_classes
from pixelwise.families.clockwork.measure.clips import split_into_clips
from pixelwise.families.clockwork.runtime.clockwork_engine import (
    FEATURES,
    Maps,
    Staged,
    decode_scores,
    fuse_streams,
    run_stage,
)
from pixelwise.families.clockwork.studies.staged_net import open_staged_net, require_staged_study
from pixelwise.inference.binding import Value, fetch
from pixelwise.metrics.confusion import Counts, compute_scores, count_pixels
from pixelwise.metrics.frame_change import measure_pixel_change, score_change
from pixelwise.metrics.tallies import tally
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements
from pixelwise.studies.records import Run, Units
from pixelwise.studies.study import Study, parse_overrides
from pixelwise.studies.trends import compute_spread
from pixelwise.studies.units import pack_tallies, pack_values


class VelocityParams(Params):
    """The overrides of a variant. stride: that of the layer's scores, or 0 for the pixels of the picture."""

    stride: NonNegativeInt


def require(study: Study, bench: Bench) -> None:
    """Raise an error as `require_staged_study`."""
    require_staged_study(study, bench, VelocityParams)


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Measure every layer's mean temporal difference over the clips, and the scores of its predictions alone."""
    model, split = open_staged_net(study, seeds[0], bench), bench.data.split(bench.find_val_split(study))
    strides = {variant.name: parse_overrides(study, variant, VelocityParams).stride for variant in study.variants}
    table = make_class_table(model.plain.names, bench.data.classes.names)
    layers = {stride: Layer(len(bench.data.classes), table) for stride in strides.values()}
    for clip in split_into_clips(split):
        if len(clip) > 1:
            add_clip(model, split, clip, layers)
    runs = {
        name: Run(
            seed=seeds[0],
            scores=layers[stride].compute_scores(),
            fingerprint=model.plain.metadata["fingerprint"],
            units=layers[stride].pack(),
            frames=tuple(map(tuple, layers[stride].differences)),
        )
        for name, stride in strides.items()
    }
    return Measurements({name: [run] for name, run in runs.items()})


class Layer:
    """The temporal differences of one layer, and the pixel counts of its predictions alone, both by clip."""

    def __init__(self, classes: int, table: np.ndarray | None) -> None:
        self.differences: list[list[float]] = []
        self.table = table
        self.classes = classes
        self.counts: list[Counts] = []

    def compute_scores(self) -> dict[str, float]:
        """Return the mean over shots, as in the thesis, its spread, and the mean IU if the layer predicts."""
        shots = [mean(differences) for differences in self.differences]
        scores = {"temporal_difference": mean(shots)}
        if (spread := compute_spread(shots)) is not None:
            scores["temporal_spread"] = spread
        total = np.sum(self.counts, axis=0)
        return scores | ({"mean_iu": compute_scores(total).mean_iu} if total.any() else {})

    def pack(self) -> dict[str, Units]:
        """Pack the mean difference and the pixel counts of each clip, which is one unit."""
        tallies = tally(np.stack(self.counts))
        # The pixels of the picture predict nothing: their clips are told apart by their number alone.
        clips = np.arange(len(self.differences))
        found = {"temporal_difference": pack_values("clip", [mean(clip) for clip in self.differences], clips)}
        return found | ({"labels": pack_tallies("clip", tallies)} if tallies.any() else {})


def add_clip(model: Staged, split: Any, clip: list[int], layers: dict[int, Layer]) -> None:
    """Run every frame of a clip through the net, and add each layer's difference from the previous frame."""
    for layer in layers.values():
        layer.differences.append([])
        layer.counts.append(np.zeros((layer.classes, layer.classes), np.int64))
    previous: dict[int, np.ndarray] = {}
    for index in progress(clip, "frames"):
        sample = split[index]
        scores = score_strides(model, sample.image)
        for stride, layer in layers.items():
            values = sample.image if stride == 0 else scores[f"stream_{stride}"][0]
            if stride in previous:
                change = measure_pixel_change if stride == 0 else score_change
                layer.differences[-1].append(change(values, previous[stride]))
            previous[stride] = values
            if stride:
                prediction = predict_by_stride(model, scores, stride, sample.image)
                layer.counts[-1] += count_pixels(sample.label, map_classes(prediction, layer.table), layer.classes)


def score_strides(model: Staged, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores (1, K, h, w) of every layer for one picture, by name."""
    scores: dict[str, np.ndarray] = {}
    given: Value = image[None]
    for stage in model.stages:
        state = run_stage(stage, given)
        given = state.pop(FEATURES, given)
        scores |= {name: fetch(maps) for name, maps in state.items()}
    return scores


def predict_by_stride(model: Staged, scores: Mapping[str, np.ndarray], stride: int, image: np.ndarray) -> np.ndarray:
    """Return the labels (H, W) by the scores at `stride` alone; the scores of other strides are zero."""
    only: Maps = {name: maps if name == f"stream_{stride}" else np.zeros_like(maps) for name, maps in scores.items()}
    return decode_scores(model, fuse_streams(model, [only]), image)
