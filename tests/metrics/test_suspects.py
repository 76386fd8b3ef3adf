"""The ranking of suspected label errors."""

import numpy as np

from pixelwise.metrics import suspects
from pixelwise.metrics.regions import Region
from pixelwise.metrics.suspects import Suspects

# Class 0 is often taken for class 1, never for class 2.
COUNTS = np.array([[800, 190, 0], [10, 990, 0], [0, 0, 1000]])


def region(place: int, pixels: int = 100, prediction: int = 2, confidence: float = 0.9, overlap: float = 1.0) -> Region:
    return Region(place, 0, 0, 10, 10, pixels, 0, prediction, confidence, overlap)


def rank(*regions: Region) -> list[int]:
    found = Suspects()
    for each in regions:
        found.add(each)
    ranked = found.rank(COUNTS)
    assert [suspect.score for suspect in ranked] == sorted((suspect.score for suspect in ranked), reverse=True)
    return [suspect.region.place for suspect in ranked]


def test_the_larger_the_surer_and_the_more_its_outlines_agree_the_more_suspicious_it_is():
    assert rank(region(0, pixels=50), region(1)) == [1, 0]
    assert rank(region(0, confidence=0.5), region(1)) == [1, 0]
    assert rank(region(0, overlap=0.1), region(1)) == [1, 0]


def test_a_usual_confusion_of_the_model_is_less_suspicious_than_a_rare_one():
    assert rank(region(0, prediction=1, pixels=120), region(1, prediction=2)) == [1, 0]


def test_beyond_the_most_that_are_kept_the_least_suspicious_are_dropped(monkeypatch):
    monkeypatch.setattr(suspects, "MOST", 2)
    assert rank(*(region(place, pixels=pixels) for place, pixels in enumerate((100, 300, 50, 200)))) == [1, 3]
