"""How much a model doubts its label of a picture: its own confidence, and its labels of the changed picture."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from pixelwise.families.hooks import ConfidentPredictor, Predictor
from pixelwise.metrics.confusion import ConfusionMatrix

# Sides of the picture that the model labels again, as shares of its own.
SCALES = (0.75, 1.25)
# A net cannot label less.
LEAST_SIDE = 8


class Doubt(NamedTuple):
    """A model's doubts about its label of a picture, 0 to 1.

    uncertainty: 1 - confidence, None where the model gives none. disagreement: 1 - mean IU of the labels of the changed
    pictures with that of the picture. Both are means over the classes in the label, so that a small object counts as
    much as the road, as it does in mean IU.
    """

    uncertainty: float | None
    disagreement: float


def measure_doubt(predictor: Predictor, image: np.ndarray) -> tuple[np.ndarray, Doubt]:
    """Label the picture `image` (H, W, 3) uint8; return the label (H, W) uint8 and the doubts about it.

    Raises ModelError as `predict` does.
    """
    uncertainty = None
    if isinstance(predictor, ConfidentPredictor) and predictor.gives_confidence:
        predictions, confidences = predictor.predict_with_confidence(image[None])
        uncertainty = average_by_class(1 - confidences[0], predictions[0])
    else:
        predictions = predictor.predict(image[None])
    others = [
        measure_disagreement(predictions[0], other, len(predictor.names)) for other in label_changed(predictor, image)
    ]
    return predictions[0], Doubt(uncertainty, float(np.mean(others)))


def average_by_class(values: np.ndarray, label: np.ndarray) -> float:
    """Average `values` (H, W) over the pixels of each class in `label` (H, W) uint8, then over these classes."""
    counts = np.bincount(label.ravel())
    sums = np.bincount(label.ravel(), values.ravel())
    return float(np.mean(sums[counts > 0] / counts[counts > 0]))


def label_changed(predictor: Predictor, image: np.ndarray) -> Iterator[np.ndarray]:
    """Label the mirrored picture and the picture at other sizes; yield the labels (H, W) on the picture itself."""
    yield predictor.predict(np.ascontiguousarray(image[None, :, ::-1]))[0][:, ::-1]
    height, width = image.shape[:2]
    picture = Image.fromarray(image)
    for scale in SCALES:
        size = max(LEAST_SIDE, round(scale * width)), max(LEAST_SIDE, round(scale * height))
        changed = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
        label = Image.fromarray(predictor.predict(changed[None])[0])
        yield np.asarray(label.resize((width, height), Image.Resampling.NEAREST))


def measure_disagreement(label: np.ndarray, other: np.ndarray, classes: int) -> float:
    """Compute 1 - mean IU of two labels (H, W) uint8 over the classes that are in either."""
    matrix = ConfusionMatrix(classes)
    matrix.add(label, other)
    return 1 - matrix.scores(absent="zero_if_predicted").mean_iu
