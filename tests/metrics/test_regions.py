"""Connected regions of a map, against counting by hand and against one search for each value."""

import numpy as np
from scipy import ndimage

from pixelwise.metrics.regions import Region, describe_regions, find_objects, find_regions


def test_the_regions_are_those_of_a_search_for_each_value():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 3, (23, 31)).repeat(2, axis=0)
    inside = rng.random(values.shape) < 0.8
    found = find_regions(values, inside)
    expected = []
    for value in range(3):
        numbers, _ = ndimage.label((values == value) & inside)
        for index, (rows, columns) in enumerate(ndimage.find_objects(numbers), start=1):
            box = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
            expected.append((value, int((numbers == index).sum()), *box))
    described = zip(found.values.tolist(), found.pixels.tolist(), *found.find_boxes().T.tolist(), strict=True)
    assert sorted(described) == sorted(expected)
    assert ((found.numbers > 0) == inside).all()
    assert (values.ravel()[found.inside] == found.values).all()
    assert (found.sum(inside) == found.pixels).all()


def test_a_map_without_a_pixel_inside_has_no_region():
    found = find_regions(np.zeros((4, 5), np.uint8), np.zeros((4, 5), bool))
    assert found.values.size == found.pixels.size == found.sum(np.ones((4, 5))).size == len(found.find_boxes()) == 0


def test_objects_of_one_class_that_touch_at_a_corner_are_two_and_void_is_none():
    label = np.array([[1, 255], [255, 1]], np.uint8)
    assert find_objects(label).pixels.tolist() == [1, 1]


def test_a_region_is_described_by_its_box_its_classes_and_the_overlap_of_its_objects():
    label, prediction = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    label[5:15, 2:12] = 3
    prediction[5:15, 2:12] = 3
    prediction[5:10, 2:12] = 7
    prediction[0, 0] = 1
    confidence = np.where(prediction == 7, 0.75, 0.5)
    (region,) = describe_regions(4, label, prediction, label != prediction, confidence, find_objects(label))
    assert region == Region(4, 2, 5, 10, 5, 50, 3, 7, 0.75, 0.5)
