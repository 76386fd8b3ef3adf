"""The sheet of a study: pictures with the labels that its variants give them."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image

from pixelwise.data.items import Classes
from pixelwise.data.prepared import Sample
from pixelwise.reporting import comparison_sheet
from pixelwise.reporting.comparison_sheet import SheetRow
from pixelwise.reporting.label_images import VOID_COLOUR, Picture, colourise
from pixelwise.studies.bench import Bench
from pixelwise.studies.predictions import choose_indices
from pixelwise.studies.requirements import name_errors
from pixelwise.studies.study import Study, Variant
from pixelwise.studies.trainings import predict_variant

# Draws further pictures of a trained variant, one per shown picture.
DrawMaps = Callable[[Study, Variant, int, Bench], Sequence[Picture]]


def draw_predictions(
    study: Study, seed: int, bench: Bench, draw_maps: Mapping[str, DrawMaps] | None = None
) -> Image.Image:
    """Draw a few validation pictures with the prediction of every variant that has the chart's column.

    draw_maps: by title, what draws further pictures of each of these variants.
    """
    predictions, maps = {}, {}
    for variant in study.variants:
        if study.chart in (variant.columns or study.columns):
            with name_errors(study, variant):
                predictions[variant.name] = predict_variant(study, variant, seed, bench)
                for title, draw in (draw_maps or {}).items():
                    maps[f"{variant.name}: {title}"] = draw(study, variant, seed, bench)
    split = bench.data.split(bench.find_val_split(study))
    return draw_sheet([split[index] for index in choose_indices(len(split))], predictions, maps, split.classes)


def draw_sheet(
    samples: Sequence[Sample],
    predictions: Mapping[str, Sequence[np.ndarray]],
    maps: Mapping[str, Sequence[Picture]],
    classes: Classes,
) -> Image.Image:
    """Draw each sample's image, its label, all predictions and further maps.

    predictions: (H, W) label maps by variant, one per sample. maps: (H, W, 3) pictures by title, one per sample.
    """
    rows = [
        SheetRow(
            sample.id,
            [
                ("image", sample.image),
                ("truth", colourise(sample.label, classes.palette)),
                *((name, colourise(labels[index], classes.palette)) for name, labels in predictions.items()),
                *((title, pictures[index]) for title, pictures in maps.items()),
            ],
        )
        for index, sample in enumerate(samples)
    ]
    entries = [*zip(classes.names, classes.palette, strict=True), ("void", VOID_COLOUR)]
    return comparison_sheet.draw_sheet(rows, entries)
