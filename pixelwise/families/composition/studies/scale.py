"""Studies of kind scale: the scale that a dynamic layer infers over pictures, as scores and as maps (figure 5.8)."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from pixelwise.data.items import VOID
from pixelwise.data.prepared import Sample
from pixelwise.families import find
from pixelwise.families.composition.family import find_dynamic_layers, infer_scales
from pixelwise.model_folder import WEIGHTS_FILE
from pixelwise.reporting.label_images import Picture
from pixelwise.reporting.receptive_field_images import colour_scales, find_scale_range
from pixelwise.studies.bench import Bench
from pixelwise.studies.measurements import Measurements, measure_variants
from pixelwise.studies.predictions import choose_indices, load_trained_net
from pixelwise.studies.records import Run
from pixelwise.studies.requirements import require_trainings as require
from pixelwise.studies.sheets import draw_predictions
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import train_variant

__all__ = ["measure", "require"]


def measure(study: Study, seeds: Sequence[int], bench: Bench) -> Measurements:
    """Train every variant, relate its inferred scales to the classes, and draw its predictions and scales."""
    runs = measure_variants(study, seeds, bench, measure_scales)
    return Measurements(runs, draw_predictions(study, seeds[0], bench, {"scale": draw_scales}))


def measure_scales(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """Train one variant; return its scores, and how its inferred scales relate to the classes."""
    run, net = train_variant(study, variant, seed, bench), load_net(study, variant, seed, bench)
    split, layer = bench.data.split(bench.find_val_split(study)), find_dynamic_layers(net)[-1]
    octaves, labels = [], []
    for sample in (split[index] for index in range(len(split))):
        scales = infer_scales(net, layer, sample.image)
        octaves.append(np.log2(scales).ravel())
        labels.append(sample_label(sample, scales.shape).ravel())
    scores = score_scales(np.concatenate(octaves), np.concatenate(labels))
    return run.model_copy(update={"scores": run.scores | scores})


def load_net(study: Study, variant: Variant, seed: int, bench: Bench) -> nn.Module:
    """Load the trained net of a variant."""
    params = bench.parse_params(study, variant, seed)
    weights = bench.find_folder(study, params) / WEIGHTS_FILE
    return load_trained_net(find(study.family), weights, params, len(bench.data.classes))


def sample_label(sample: Sample, shape: tuple[int, ...]) -> np.ndarray:
    """Return the label at the middle of each of `shape` (h, w) cells."""
    centres = [(np.arange(cells) + 0.5) * side / cells for cells, side in zip(shape, sample.label.shape, strict=True)]
    return sample.label[np.ix_(*(centre.astype(int) for centre in centres))]


def score_scales(octaves: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return how many octaves the scales span, and the share of their variance that lies between classes.

    octaves: (P,) base-2 logarithms of the scales of all cells. labels: (P,) their classes.
    """
    octaves, labels = octaves[labels != VOID], labels[labels != VOID]
    low, high = find_scale_range([octaves])
    classes, counts = np.unique(labels, return_counts=True)
    means = np.array([octaves[labels == one].mean() for one in classes])
    between = (counts * (means - octaves.mean()) ** 2).sum() / len(octaves)
    return {"scale_octaves": high - low, "scale_by_class": float(between / max(octaves.var(), 1e-12))}


def draw_scales(study: Study, variant: Variant, seed: int, bench: Bench) -> list[Picture]:
    """Draw the inferred scales of the shown pictures, dark for small and bright for large."""
    net, split = load_net(study, variant, seed, bench), bench.data.split(bench.find_val_split(study))
    layer = find_dynamic_layers(net)[-1]
    return colour_scales([infer_scales(net, layer, split[index].image) for index in choose_indices(len(split))])
