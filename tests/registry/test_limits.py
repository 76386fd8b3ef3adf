"""What a release asks where nothing is set, and which limits can be set."""

import pytest
from pydantic import ValidationError

from pixelwise.families.options import ReleaseParams

DEFAULTS = {
    "margin": 0.005,
    "confidence": 0.95,
    "resamples": 1000,
    "seed": 0,
    "parity_floor": 0.999,
    "milliseconds_limit": None,
    "other_data": False,
    "mean_iu_floor": 0.3,
    "pixel_accuracy_floor": 0.7,
    "class_iu_floor": 0.0,
    "class_margin": 0.1,
    "shadow_disagreement_limit": None,
}
SHARES = ("margin", "parity_floor", "mean_iu_floor", "pixel_accuracy_floor", "class_iu_floor", "class_margin")
BAD = [(share, value) for share in SHARES for value in (-0.01, 1.01)]
BAD += [("confidence", 0), ("confidence", 1), ("resamples", 99), ("milliseconds_limit", 0), ("seed", -1)]
GOOD = [(share, value) for share in SHARES for value in (0, 1)]
GOOD += [("confidence", 0.01), ("confidence", 0.99), ("resamples", 100), ("milliseconds_limit", 0.5)]


def test_a_release_asks_its_defaults():
    assert ReleaseParams().model_dump() == DEFAULTS
    assert (ReleaseParams(mean_iu_floor=0.4).floor, list(ReleaseParams().limits)) == (0.4, [])


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_limit_out_of_range_is_refused(name, value):
    with pytest.raises(ValidationError, match=name):
        ReleaseParams(**{name: value})


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_the_ends_of_a_range_are_in_it(name, value):
    assert getattr(ReleaseParams(**{name: value}), name) == value
