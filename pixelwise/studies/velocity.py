"""How fast the layers of a net change from frame to frame (thesis §3.2, table 3.1)."""

from statistics import mean
from typing import Any

import numpy as np
from pydantic import NonNegativeInt

from pixelwise.data.class_mapping import make_class_table, map_classes
from pixelwise.families.clockwork.measure.clips import clips_of
from pixelwise.families.clockwork.runtime.clockwork_engine import FEATURES, Maps, Staged, decoded, fused, run_stage
from pixelwise.metrics.confusion import ConfusionMatrix
from pixelwise.metrics.frame_change import measure_pixel_change, score_change
from pixelwise.params import Params, parse
from pixelwise.progress import progress
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import Run
from pixelwise.studies.schedules import Together
from pixelwise.studies.staged_net import staged_net
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trends import spread_of


class VelocityParams(Params):
    """What a variant of a study of kind velocity overrides."""

    stride: NonNegativeInt


def velocities(study: Study, bench: Bench) -> Together:
    """Measure every layer's mean temporal difference over the clips, and its scores alone."""
    model, split = staged_net(study, bench), bench.data.split(bench.val_split(study))
    wanted = {variant.name: overrides_of(study, variant).stride for variant in study.variants}
    table = make_class_table(model.plain.names, bench.data.classes.names)
    layers = {stride: Layer(len(bench.data.classes), table) for stride in wanted.values()}
    clips = [clip for clip in clips_of(split) if len(clip) > 1]
    for clip in clips:
        watch(model, split, clip, layers)
    fingerprint, seed = model.plain.metadata["fingerprint"], study.seeds[0]
    runs = {
        name: Run(
            seed=seed,
            scores=layers[stride].scores(),
            fingerprint=fingerprint,
            frames=tuple(map(tuple, layers[stride].differences)),
        )
        for name, stride in wanted.items()
    }
    return Together(runs)


def overrides_of(study: Study, variant: Variant) -> VelocityParams:
    """The layer of a variant: the stride of its scores, 0 for the pixels."""
    return parse(VelocityParams, variant.overrides, f"study {study.name}: {variant.name}")


class Layer:
    """One layer: its temporal differences by clip, and the pixel counts of its predictions alone."""

    def __init__(self, classes: int, table: np.ndarray | None) -> None:
        self.differences: list[list[float]] = []
        self.table = table
        self.counts = ConfusionMatrix(classes)

    def scores(self) -> dict[str, float]:
        """The mean over shots, as the thesis takes it, its spread, and the mean IU where the layer predicts."""
        shots = [mean(differences) for differences in self.differences]
        found = {"temporal_difference": mean(shots)}
        if (spread := spread_of(shots)) is not None:
            found["temporal_spread"] = spread
        return found | ({"mean_iu": self.counts.scores().mean_iu} if self.counts.counts.any() else {})


def watch(model: Staged, split: Any, clip: list[int], layers: dict[int, Layer]) -> None:
    """Run every frame of a clip through the net and note how each layer differs from the frame before."""
    for layer in layers.values():
        layer.differences.append([])
    before: dict[int, np.ndarray] = {}
    for place in progress(clip, "frames"):
        sample = split[place]
        now = streams(model, sample.image)
        for stride, layer in layers.items():
            values = sample.image if stride == 0 else now[f"stream_{stride}"][0]
            if stride in before:
                change = measure_pixel_change if stride == 0 else score_change
                layer.differences[-1].append(change(values, before[stride]))
            before[stride] = values
            if stride:
                layer.counts.add(sample.label, map_classes(alone(model, now, stride, sample.image), layer.table))


def streams(model: Staged, image: np.ndarray) -> Maps:
    """The scores (1, K, h, w) of every layer for one picture, by name."""
    found, given = Maps(), image[None]
    for stage in model.stages:
        state = run_stage(stage, given)
        given = state.pop(FEATURES, given)
        found |= state
    return found


def alone(model: Staged, found: Maps, stride: int, image: np.ndarray) -> np.ndarray:
    """The labels (H, W) by the scores at `stride` alone, the others being zero."""
    only = {name: maps if name == f"stream_{stride}" else np.zeros_like(maps) for name, maps in found.items()}
    return decoded(model, fused(model, [only]), image)
