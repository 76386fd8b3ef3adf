"""The scale that a dynamic layer infers over validation pictures, as figures and as maps (thesis figure 5.8)."""

import numpy as np
from torch import nn

from pixelwise.data.items import VOID
from pixelwise.data.prepared import Sample
from pixelwise.families import find
from pixelwise.families.composition import family as composition
from pixelwise.model_folder import WEIGHTS_FILE
from pixelwise.reporting.label_images import Picture
from pixelwise.reporting.receptive_field_images import colour_scales, find_scale_range
from pixelwise.studies.bench import Bench
from pixelwise.studies.outcome import Run
from pixelwise.studies.predictions import choose_indices, trained_net
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import trained


def scaled(study: Study, variant: Variant, seed: int, bench: Bench) -> Run:
    """The scores of one training, and how the inferred scales relate to the classes."""
    ran, net = trained(study, variant, seed, bench), net_of(study, variant, seed, bench)
    split = bench.data.split(bench.val_split(study))
    sizes, labels = [], []
    for sample in (split[index] for index in range(len(split))):
        found = composition.infer_scales(net, composition.find_dynamic_layers(net)[-1], sample.image)
        sizes.append(np.log2(found).ravel())
        labels.append(label_at(sample, found.shape).ravel())
    return ran.model_copy(update={"scores": ran.scores | scores(np.concatenate(sizes), np.concatenate(labels))})


def net_of(study: Study, variant: Variant, seed: int, bench: Bench) -> nn.Module:
    """The trained net of a variant."""
    params = bench.params(study, variant, seed)
    return trained_net(find(study.family), bench.place(study, params) / WEIGHTS_FILE, params, len(bench.data.classes))


def label_at(sample: Sample, shape: tuple[int, ...]) -> np.ndarray:
    """The label at the middle of each of `shape` (h, w) cells."""
    places = [(np.arange(cells) + 0.5) * side / cells for cells, side in zip(shape, sample.label.shape, strict=True)]
    return sample.label[np.ix_(*(place.astype(int) for place in places))]


def scores(octaves: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """How many octaves the sizes span, and the share of their variance that lies between classes.

    octaves, labels: (P,), the logarithm of every cell's size to the base 2, and its class.
    """
    octaves, labels = octaves[labels != VOID], labels[labels != VOID]
    low, high = find_scale_range([octaves])
    classes, counts = np.unique(labels, return_counts=True)
    means = np.array([octaves[labels == one].mean() for one in classes])
    between = (counts * (means - octaves.mean()) ** 2).sum() / len(octaves)
    return {"scale_octaves": high - low, "scale_by_class": float(between / max(octaves.var(), 1e-12))}


def maps(study: Study, variant: Variant, seed: int, bench: Bench) -> list[Picture]:
    """Map the inferred scales of the shown pictures, dark for small and bright for large."""
    net, split = net_of(study, variant, seed, bench), bench.data.split(bench.val_split(study))
    layer = composition.find_dynamic_layers(net)[-1]
    return colour_scales(
        [composition.infer_scales(net, layer, split[index].image) for index in choose_indices(len(split))]
    )
