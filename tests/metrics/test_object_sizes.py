"""Objects by size: how many are found, and how many of their pixels are right."""

import numpy as np

from pixelwise.metrics.object_sizes import count_objects
from pixelwise.metrics.regions import find_objects


def test_objects_count_by_class_and_size_and_are_found_if_half_of_them_is_right():
    label = np.full((300, 300), 255, np.uint8)
    label[:10, :10] = 1
    label[:10, 20:30] = 1
    label[50:100, :50] = 2
    label[150:250, :100] = 2
    right = np.zeros(label.shape, bool)
    right[:5, :10] = True
    right[:4, 20:30] = True
    right[150:250, :100] = True
    counts = count_objects(find_objects(label), right, classes=3)
    assert counts[1].tolist() == [[2, 1, 200, 90], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert counts[2].tolist() == [[0, 0, 0, 0], [1, 0, 2500, 0], [1, 1, 10_000, 10_000]]
    assert not counts[0].any()


def test_an_object_of_32_by_32_pixels_is_medium_as_in_coco():
    label = np.full((40, 100), 255, np.uint8)
    label[:32, :32] = 0
    label[:31, 50:82] = 0
    counts = count_objects(find_objects(label), label == 0, classes=1)
    assert counts[0, :, 0].tolist() == [1, 1, 0]
