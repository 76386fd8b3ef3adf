"""Whether live requests have drifted from the accepted data: by a large amount, and by more than chance explains.

Large is what the drift rules of `validate` call so. Chance is judged over scenes, since pictures of one scene are
alike: m scenes of the reference, n of the newest requests. Each test has the error probability `false_alarms`, divided
by the number of tests and by HORIZON (Bonferroni). However often the requests are judged, the probability of any false
report in HORIZON requests is therefore at most `false_alarms`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.validation.drift import SMALLEST_SHARE, compute_psi_parts, compute_standardised_difference
from pixelwise.watching.params import WatchParams
from pixelwise.watching.reference import Reference
from pixelwise.watching.rows import Seen
from pixelwise.watching.samples import FLOORS, Sample, sample_shares, sample_statistics

HORIZON = 5000
SHARES = "class shares"
# A class that lost more than this part of its accepted share is absent.
LOST = 0.9


@dataclass(frozen=True)
class Judged:
    """One statistic: its accepted and live mean, how far it moved, and the limit that `validate` and chance allow.

    moved, limit: in standard deviations; of all class shares, their population stability index; of one class, the part
    of its share that is lost. The limit is infinite where the scenes are too few to exclude chance.
    """

    name: str
    accepted: float
    live: float
    moved: float
    limit: float

    @property
    def has_drifted(self) -> bool:
        """Whether the statistic moved beyond its limit."""
        return self.moved > self.limit


def judge(reference: Reference, rows: Sequence[Seen], params: WatchParams) -> list[Judged]:
    """Judge `rows`, the newest requests, by every statistic that both sides have."""
    scenes = np.array(reference.scenes)
    live_scenes = np.arange(len(rows)) // max(1, round(params.scene or reference.scene))
    accepted, live = sample_statistics(reference.rows, scenes), sample_statistics(rows, live_scenes)
    measured = [name for name in FLOORS if len(accepted[name]) and len(live[name])]
    shares, live_shares = sample_shares(reference.rows, scenes), sample_shares(rows, live_scenes)
    shown = np.flatnonzero(shares.mean >= SMALLEST_SHARE).tolist()
    error = params.false_alarms / HORIZON / (len(measured) + len(shown) + 1)
    judged = [judge_statistic(name, accepted[name], live[name], error, params.max_shift) for name in measured]
    if shown:
        judged.append(judge_shares(shares, live_shares, error, params.max_drift_psi))
    names = reference.classes
    return judged + [judge_absence(names[k], shares.select_class(k), live_shares.select_class(k), error) for k in shown]


def judge_statistic(name: str, accepted: Sample, live: Sample, error: float, largest: float) -> Judged:
    """Judge a statistic of pictures by Cohen's d, as `validate` does, and by Student's t over scenes."""
    from scipy.stats import t

    was, now = ((float(one.mean), float(one.values.std())) for one in (accepted, live))
    moved = compute_standardised_difference(was, now, FLOORS[name])
    limit, means = float("inf"), accepted.scene_means
    if len(means) > 1:
        # The spread of scenes is the reference's: a drift must not raise its own limit.
        scene_spread = max(FLOORS[name], float(means.std(ddof=1)))
        chance = float(t.isf(error / 2, len(means) - 1)) * scene_spread * np.sqrt(combine(accepted, live))
        unit = max(FLOORS[name], np.sqrt((was[1] ** 2 + now[1] ** 2) / 2))
        limit = max(largest, float(chance / unit))
    return Judged(name, was[0], now[0], moved, limit)


def judge_shares(accepted: Sample, live: Sample, error: float, largest: float) -> Judged:
    """Judge all class shares by their population stability index.

    By chance it is about a weighted sum of chi-squares; over scenes, that of Rao and Scott (1984, second order).
    """
    from scipy.stats import f

    parts = compute_psi_parts(accepted.mean, live.mean)
    limit, means = float("inf"), accepted.scene_means
    if len(means) > 1:
        scale = 1 / np.sqrt(np.maximum(accepted.mean, SMALLEST_SHARE))
        spread = np.cov(means.T, ddof=1) * np.outer(scale, scale) * combine(accepted, live)
        expected = max(float(np.trace(spread)), 1e-12)
        freedom = max(1.0, expected**2 / max(float((spread**2).sum()), 1e-24))
        limit = max(largest, expected * float(f.isf(error, freedom, freedom * (len(means) - 1))))
    return Judged(SHARES, float(accepted.mean.sum()), float(live.mean.sum()), float(parts.sum()), limit)


def judge_absence(name: str, accepted: Sample, live: Sample, error: float) -> Judged:
    """Judge whether a class has gone: by the part of its share that is lost, and by Fisher's exact test over scenes.

    The test compares how many scenes of each side show the class, with more than 1 - LOST of its accepted share.
    """
    from scipy.stats import hypergeom

    least = (1 - LOST) * float(accepted.mean)
    shows, shows_now = accepted.scene_means > least, live.scene_means > least
    chance = hypergeom.cdf(shows_now.sum(), len(shows) + len(shows_now), shows.sum() + shows_now.sum(), len(shows_now))
    accepted_share, live_share = float(accepted.mean), float(live.mean)
    limit = LOST if chance < error else float("inf")
    return Judged(f"share of {name}", accepted_share, live_share, 1 - live_share / accepted_share, limit)


def combine(accepted: Sample, live: Sample) -> float:
    """The variance of the difference of two means over scenes, in units of the variance of one scene."""
    return 1 / len(accepted.scene_means) + 1 / len(live.scene_means)
