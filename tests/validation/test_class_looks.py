"""Swapped classes are found by their looks, and equal ones are left alone."""

import numpy as np
from support.edged_pictures import draw_shapes

from pixelwise.validation.class_looks import find_cycles, find_swapped_classes, measure_looks


def look(seeds, order=(0, 1, 2)):
    """Looks of pictures whose class i is labelled order[i]."""
    pairs = [draw_shapes(seed) for seed in seeds]
    return np.stack([measure_looks(image, np.array(order, np.uint8)[mask], classes=4) for image, mask in pairs])


def test_equal_labels_are_silent_and_a_class_that_never_occurs_is_left_out():
    assert find_swapped_classes(look(range(8)), look(range(20, 26))) == {}


def test_two_swapped_classes_are_named_both_ways():
    assert find_swapped_classes(look(range(8)), look(range(20, 26), (0, 2, 1))) == {1: 2, 2: 1}


def test_a_rotated_list_of_classes_is_found():
    assert find_swapped_classes(look(range(8)), look(range(20, 26), (1, 2, 0))) == {0: 2, 1: 0, 2: 1}


def test_too_few_pictures_decide_nothing():
    assert find_swapped_classes(look(range(8)), look(range(20, 24), (0, 2, 1))) == {}


def test_cycles_leave_fixed_points_out():
    assert find_cycles([0, 2, 1, 4, 5, 3]) == [[1, 2], [3, 4, 5]]
