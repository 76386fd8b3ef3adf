"""The release gate decides whether a challenger replaces the champion: a pure function of both versions' evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pixelwise.metrics.bootstrap import bootstrap_difference, bootstrap_score
from pixelwise.metrics.confusion import compute_scores
from pixelwise.metrics.measurement import Measurement
from pixelwise.registry.evidence import Evidence
from pixelwise.registry.limits import LabelReleaseParams, Limit, ReleaseParams

Comparability = Literal["same units", "changed data", "other split", "other classes", "other data set"]


@dataclass(frozen=True)
class Check:
    """One check of the gate: the value found, the value needed, and whether the check passed."""

    name: str
    passed: bool
    found: str
    needed: str


@dataclass(frozen=True)
class Decision:
    """The gate's decision: promote only if every check passed."""

    checks: tuple[Check, ...]

    @property
    def promote(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> str:
        """The checks that failed, on one line."""
        return "; ".join(f"{c.name}: found {c.found}, needed {c.needed}" for c in self.checks if not c.passed)

    def __str__(self) -> str:
        rows = [(c.name, "ok" if c.passed else "FAILED", c.found, c.needed) for c in self.checks]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return "\n".join(
            f"  {name:<{widths[0]}}  {passed:<{widths[1]}}  {found:<{widths[2]}}  needed: {needed}"
            for name, passed, found, needed in rows
        )


def decide(challenger: Evidence, champion: Evidence | None, params: ReleaseParams) -> Decision:
    """Judge `challenger` by absolute limits and, where there is a `champion`, against it on the units both scored.

    If the data changed, the two were scored on different units: only the limits apply, and a check states this. If the
    two were scored on different splits of one data set, the gate refuses: evaluate both on one split. It also refuses a
    model of other classes or of another data set, as of a second project on the same registry, unless
    `params.other_data` allows it.
    """
    checks = list(check_limits(challenger, params))
    if champion is not None:
        checks.extend(check_against_champion(challenger, champion, params))
    return Decision(tuple(checks))


def check_limits(challenger: Evidence, params: ReleaseParams) -> Iterator[Check]:
    """Yield the checks that every champion must pass, the first one too."""
    yield check_at_least(challenger.main.name, challenger.main.score, params.floor)
    if isinstance(params, LabelReleaseParams):
        yield from check_labels(challenger.main, params)
    for limit in params.limits:
        yield check_limit(challenger.find(limit.measure), limit, params)
    yield check_at_least("ONNX parity", challenger.parity, params.parity_floor, digits=5)
    if params.milliseconds_limit is not None:
        yield check_latency(challenger.milliseconds, params.milliseconds_limit)


def check_labels(main: Measurement, params: LabelReleaseParams) -> Iterator[Check]:
    """Yield the checks of pixel accuracy and of the worst class."""
    if not main.classes:
        yield Check("classes", False, f"{main.name} without classes", "a confusion matrix of each unit")
        return
    scores = compute_scores(main.values.sum(axis=0))
    per_class = np.array(scores.per_class)
    worst = int(np.nanargmin(per_class))
    yield check_at_least("pixel accuracy", scores.pixel_accuracy, params.pixel_accuracy_floor)
    yield check_at_least(f"worst class ({main.classes[worst]})", per_class[worst], params.class_iu_floor)


def check_limit(measurement: Measurement | None, limit: Limit, params: ReleaseParams) -> Check:
    """A check that the confidence interval of a measure is within its bounds."""
    bounds = [("lower", ">=", limit.least), ("upper", "<=", limit.most)]
    needed = " and ".join(
        f"{end} end of the {params.confidence:.0%} interval {sign} {bound:.4f}"
        for end, sign, bound in bounds
        if bound is not None
    )
    if measurement is None:
        return Check(limit.measure, False, "not measured", needed)
    low, high = bootstrap_score(measurement, params.confidence, params.resamples, params.seed)
    passed = (limit.least is None or low >= limit.least) and (limit.most is None or high <= limit.most)
    return Check(limit.measure, passed, describe_interval(f"{low:.4f}", f"{high:.4f}", measurement), needed)


def check_against_champion(challenger: Evidence, champion: Evidence, params: ReleaseParams) -> Iterator[Check]:
    """Yield the checks against the champion on the same units, or one check that names why they cannot be compared."""
    footing = judge_comparability(challenger, champion)
    if footing == "other split":
        found = f"champion on {champion.split}, challenger on {challenger.split}"
        yield Check("comparison", False, found, "both on one split")
        return
    if footing in ("other classes", "other data set") and not params.other_data:
        was, now = describe_data(champion), describe_data(challenger)
        needed = "the champion's; other_data: true in the section release, or another --name"
        yield Check("data", False, f"{footing}: {now}, champion {was}", needed)
        return
    if footing != "same units":
        yield Check("comparison", True, "none, the champion was scored on other data", "the floors alone")
        return
    pair = (challenger.main, champion.main)
    difference = bootstrap_difference([pair], params.confidence, params.resamples, params.seed)
    needed = f"lower end of the {params.confidence:.0%} interval >= {-params.margin:.4f}"
    found = describe_interval(f"{difference.low:+.4f}", f"{difference.high:+.4f}", challenger.main)
    yield Check(f"{challenger.main.name} against champion", difference.low >= -params.margin, found, needed)
    if isinstance(params, LabelReleaseParams) and challenger.main.classes:
        yield check_worst_class(challenger.main, champion.main, params.class_margin)


def judge_comparability(challenger: Evidence, champion: Evidence) -> Comparability:
    """Whether the two can be compared unit by unit.

    Equal ids with equal pixels a class in every unit are the same labelled images, even where the data set changed
    elsewhere: more training images do not end the comparison.
    """
    if challenger.main.has_units_of(champion.main):
        return "same units"
    if challenger.main.classes != champion.main.classes:
        return "other classes"
    if challenger.dataset != champion.dataset:
        return "other data set"
    return "other split" if challenger.split != champion.split else "changed data"


def describe_data(evidence: Evidence) -> str:
    """The data set and the classes that a model was scored on, such as `town (road, car)`."""
    names = ", ".join(evidence.main.classes)
    return f"{evidence.dataset} ({names})" if names else evidence.dataset


def describe_interval(low: str, high: str, measurement: Measurement) -> str:
    """Describe an interval and the units that it was drawn from. One unit has only one resample, thus no interval."""
    if len(measurement.ids) == 1:
        return f"{low}, no interval from {measurement.extent}"
    return f"{low} to {high} over {measurement.extent}"


def check_worst_class(challenger: Measurement, champion: Measurement, margin: float) -> Check:
    """Check that the class with the largest loss against the champion loses at most `margin`."""
    challenger_ius, champion_ius = (
        np.array(compute_scores(one.values.sum(axis=0)).per_class) for one in (challenger, champion)
    )
    change = challenger_ius - champion_ius
    worst = int(np.nanargmin(change))
    name = f"largest class change ({challenger.classes[worst]})"
    return Check(name, bool(change[worst] >= -margin), f"{change[worst]:+.4f}", f">= {-margin:.4f}")


def check_at_least(name: str, found: float, floor: float, digits: int = 4) -> Check:
    """A check that `found` reaches `floor`."""
    return Check(name, bool(found >= floor), f"{found:.{digits}f}", f">= {floor:.{digits}f}")


def check_disagreement(found: tuple[float, int] | None, limit: float) -> Check:
    """Check that the challenger labels live pictures like the champion. found: share of pixels, number of pictures."""
    if found is None:
        return Check("disagreement on live pictures", False, "not measured", f"<= {limit:g}, from `pixelwise watch`")
    share, pictures = found
    return Check("disagreement on live pictures", share <= limit, f"{share:.4f} over {pictures}", f"<= {limit:g}")


def check_latency(milliseconds: float | None, limit: float) -> Check:
    """A check that the median latency is known and within `limit`."""
    if milliseconds is None:
        return Check("median latency", False, "no benchmark", f"<= {limit:g} ms")
    return Check("median latency", milliseconds <= limit, f"{milliseconds:.1f} ms", f"<= {limit:g} ms")
