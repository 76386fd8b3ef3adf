"""What stages cost, and where to cut a net by it."""

import pytest

from pixelwise.families.clockwork.measure.stage_times import StageTimes
from pixelwise.families.clockwork.verbs import profile_stages
from pixelwise.families.clockwork.verbs.profile_stages import StagesParams

TIMES = StageTimes(ends=(8, 16, 32), stages=(6.0, 2.0, 3.0), fuse=0.5, decode=1.0)


def test_the_most_even_cut_of_each_number_of_stages_comes_first():
    assert [(cut.borders, cut.stages) for cut in TIMES.list_cuts()] == [
        ((8,), (6, 5)),
        ((16,), (8, 3)),
        ((8, 16), (6, 2, 3)),
    ]


def test_a_pipeline_takes_its_longest_stage_and_what_follows_all():
    assert TIMES.whole == pytest.approx(12.5)
    assert TIMES.compute_latency(TIMES.list_cuts()[0]) == pytest.approx(7.5)


def test_every_stage_of_a_clockwork_is_measured_and_borders_are_named(clockwork_model):
    report = profile_stages.run(StagesParams(provider="cpu", width=96, height=64, rounds=2), clockwork_model)
    assert report.times.ends == (8, 16, 32)
    assert all(spent > 0 for spent in (*report.times.stages, report.times.fuse, report.times.decode))
    assert {len(cut.stages) for cut in report.best} == {2, 3}
    assert "borders: [8, 16]" in str(report)
