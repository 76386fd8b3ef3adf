"""Whether live requests are reported: those like the accepted pictures never, drifted ones within 200 requests."""

import numpy as np
import pytest
from support.live_requests import CLASSES, draw_reference, draw_rows

from pixelwise.watching.drift import SHARES, judge
from pixelwise.watching.params import WatchParams
from pixelwise.watching.rows import Seen

PARAMS = WatchParams()


def find_drifted(reference, rows, params=PARAMS):
    return [one.name for one in judge(reference, rows[-params.requests :], params) if one.has_drifted]


@pytest.mark.parametrize("is_mixed", [False, True], ids=["clip by clip", "mixed"])
def test_5000_requests_like_the_accepted_pictures_are_never_reported(is_mixed):
    rng = np.random.default_rng(is_mixed)
    reference, rows = draw_reference(rng), draw_rows(rng, 625)
    if is_mixed:
        rng.shuffle(rows)
    assert [find_drifted(reference, rows[:end]) for end in range(200, 5001, 200)] == [[]] * 25


@pytest.mark.slow
def test_no_stream_of_5000_requests_out_of_forty_is_reported():
    """At most 1 % of such streams may be: 40 without a report exclude more than 7 %, at 95 % confidence."""
    for seed in range(40):
        rng = np.random.default_rng([1, seed])
        reference, rows = draw_reference(rng), draw_rows(rng, 625)
        assert [find_drifted(reference, rows[:end]) for end in range(50, 5001, 50)] == [[]] * 100


@pytest.mark.parametrize("absent", CLASSES)
def test_an_absent_class_is_reported_within_200_requests(absent):
    rng = np.random.default_rng(2)
    reference, rows = draw_reference(rng), draw_rows(rng, 25) + draw_rows(rng, 25, absent=absent)
    assert set(find_drifted(reference, rows)) & {f"share of {absent}", SHARES}


def test_darkened_pictures_are_reported_within_200_requests():
    rng = np.random.default_rng(3)
    reference, rows = draw_reference(rng), draw_rows(rng, 25) + draw_rows(rng, 25, light=0.5)
    assert "mean of green" in find_drifted(reference, rows)


def test_few_requests_or_few_scenes_excuse_what_many_would_not():
    rng = np.random.default_rng(4)
    reference, dark = draw_reference(rng), draw_rows(rng, 25, light=0.5)
    assert find_drifted(reference, dark)
    assert not find_drifted(reference, dark[:8])
    assert not find_drifted(draw_reference(rng, clips=3), dark)


def test_independent_pictures_need_fewer_requests_than_frames_of_scenes():
    rng = np.random.default_rng(5)
    reference, dark = draw_reference(rng), draw_rows(rng, 16, frames=1, light=0.6)
    assert not find_drifted(reference, dark)
    assert find_drifted(reference, dark, WatchParams(scene=1))


def test_one_accepted_scene_judges_nothing():
    rng = np.random.default_rng(6)
    assert not find_drifted(draw_reference(rng, clips=1), draw_rows(rng, 25, light=0.2))


def test_a_model_without_classes_of_its_own_is_judged_by_its_pictures():
    rng = np.random.default_rng(7)
    reference = draw_reference(rng)
    bare = lambda rows: [Seen(**{**vars(row), "shares": (), "confidence": None}) for row in rows]  # noqa: E731
    pictures = type(reference)(**{**vars(reference), "classes": (), "rows": bare(reference.rows)})
    judged = judge(pictures, bare(draw_rows(rng, 25, light=0.4)), PARAMS)
    assert len(judged) == 7
    assert any(one.has_drifted for one in judged)
