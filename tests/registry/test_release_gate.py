from dataclasses import replace

import numpy as np
import pytest

from pixelwise.families.options import ReleaseParams
from pixelwise.metrics.confusion import compute_scores
from pixelwise.metrics.measurement import Measurement, compute_mean_iu
from pixelwise.registry import limits
from pixelwise.registry.evidence import Evidence
from pixelwise.registry.limits import Limit
from pixelwise.registry.release_gate import decide

PARAMS = ReleaseParams(
    mean_iu_floor=0.5,
    pixel_accuracy_floor=0.7,
    class_iu_floor=0.2,
    margin=0.01,
    class_margin=0.05,
    confidence=0.95,
    resamples=500,
    seed=0,
    parity_floor=0.999,
    milliseconds_limit=50.0,
)
CLASSES = ("sky", "road", "car")


def evidence(accuracy=(0.9, 0.9, 0.9), noise=0.0, seed=1, **fields):
    """40 images of fixed truth; each class right to its accuracy, give or take `noise` an image drawn from `seed`."""
    truth = np.random.default_rng(0).integers(500, 1500, (40, 3))
    right = np.array(accuracy) + noise * np.random.default_rng(seed).standard_normal((40, 3))
    hits = np.round(truth * np.clip(right, 0, 1)).astype(np.int64)
    counts = np.zeros((40, 3, 3), np.int64)
    for k in range(3):
        counts[:, k, k] = hits[:, k]
        counts[:, k, (k + 1) % 3] = truth[:, k] - hits[:, k]
    ids = tuple(f"{i:02}" for i in range(40))
    main = Measurement("mean IU", "image", ids, counts, "mean IU", CLASSES)
    found = Evidence((main,), dataset="town", split="val", parity=0.9995, milliseconds=20.0)
    return replace(found, **fields)


def cut(evidence, images):
    """The evidence of the first images alone."""
    main = evidence.main
    return replace(evidence, measurements=(replace(main, ids=main.ids[:images], values=main.values[:images]),))


def failed(decision):
    return [check.name for check in decision.checks if not check.passed]


def test_a_first_model_above_the_floors_is_promoted():
    decision = decide(evidence(), None, PARAMS)
    assert decision.promote
    assert failed(decision) == []


@pytest.mark.parametrize(
    ("challenger", "names"),
    [
        (evidence((0.5, 0.5, 0.5)), ["mean IU", "pixel accuracy"]),
        (evidence((0.99, 0.99, 0.15)), ["worst class (car)"]),
        (evidence(parity=0.9989), ["ONNX parity"]),
        (evidence(milliseconds=51.0), ["median latency"]),
        (evidence(milliseconds=None), ["median latency"]),
    ],
)
def test_a_first_model_below_a_floor_is_refused_by_name(challenger, names):
    decision = decide(challenger, None, PARAMS)
    assert not decision.promote
    assert [name for name in names if name not in failed(decision)] == []
    assert all(name in decision.failures for name in names)


def test_no_limit_on_latency_asks_for_no_benchmark():
    assert decide(evidence(milliseconds=None), None, PARAMS.model_copy(update={"milliseconds_limit": None})).promote


@pytest.mark.parametrize(
    ("accuracy", "names"),
    [
        ((0.95, 0.95, 0.95), []),
        ((0.897, 0.897, 0.897), []),
        ((0.88, 0.88, 0.88), ["mean IU against champion"]),
        ((0.99, 0.99, 0.75), ["largest class change (car)"]),
    ],
)
def test_a_later_model_may_lose_no_more_than_the_margins(accuracy, names):
    assert failed(decide(evidence(accuracy), evidence(), PARAMS)) == names


def test_noise_from_image_to_image_within_the_margin_is_no_loss():
    challenger, champion = evidence(noise=0.01, seed=1), evidence(noise=0.01, seed=2)
    assert decide(challenger, champion, PARAMS).promote


def test_too_few_images_to_tell_are_no_proof():
    few = [evidence(noise=0.1, seed=seed) for seed in (1, 2)]
    few = [cut(e, 5) for e in few]
    assert failed(decide(*few, PARAMS.model_copy(update={"class_margin": 1.0}))) == ["mean IU against champion"]


def test_a_decision_can_be_repeated():
    pair = evidence(noise=0.05, seed=1), evidence(noise=0.05, seed=2)
    assert decide(*pair, PARAMS) == decide(*pair, PARAMS)


def test_a_resample_that_draws_every_image_once_has_the_score_of_the_split():
    counts = evidence(noise=0.1).main.values
    counts[:, 2, :] = 0
    (found,) = compute_mean_iu(np.ones((1, 40), np.int64), counts)
    assert found == pytest.approx(compute_scores(counts.sum(axis=0)).mean_iu)


def test_more_training_data_does_not_end_the_comparison():
    worse = evidence((0.8, 0.8, 0.8), dataset="town-2")
    assert "mean IU against champion" in failed(decide(worse, evidence(), PARAMS))


def test_changed_images_leave_the_floors_alone_and_say_so():
    decision = decide(evidence(), cut(evidence((0.99, 0.99, 0.99)), 30), PARAMS)
    assert decision.promote
    assert "the champion was scored on other data" in str(decision)


def test_scores_of_another_split_are_not_compared_and_refused():
    other = evidence(split="test")
    other = replace(other, measurements=(replace(other.main, ids=tuple(f"t{i}" for i in range(40))),))
    decision = decide(other, evidence(), PARAMS)
    assert failed(decision) == ["comparison"]
    assert "champion on val, challenger on test" in decision.failures


def measured(name, unit, values, **fields):
    """A measurement of one value per unit."""
    ids = tuple(f"{unit} {i}" for i in range(len(values)))
    return Measurement(name, unit, ids, np.array(values, float), **fields)


class SpeedParams(ReleaseParams):
    """Limits of a family that is also measured beside another model."""

    @property
    def limits(self):
        return Limit("loss", most=0.1), Limit("speed-up", least=2.0)


class ShareParams(limits.ReleaseParams):
    """Limits of a family whose score has no classes."""

    @property
    def floor(self):
        return 0.4


@pytest.mark.parametrize(
    ("loss", "speed_up", "names"),
    [
        ([0.0, 0.05, 0.09], [2.1, 3.0, 5.0], []),
        ([0.0, 0.05, 0.2], [2.1, 3.0, 5.0], ["loss"]),
        ([0.0, 0.05, 0.09], [1.9, 3.0, 5.0], ["speed-up"]),
        ([0.0, 0.05, 0.09], None, ["speed-up"]),
    ],
)
def test_a_further_measure_is_judged_by_the_worse_end_of_its_interval(loss, speed_up, names):
    further = [measured("loss", "clip", loss)]
    further += [measured("speed-up", "round", speed_up)] if speed_up else []
    found = replace(evidence(), measurements=(evidence().main, *further))
    decision = decide(found, None, SpeedParams(**PARAMS.model_dump()))
    assert failed(decision) == names
    assert speed_up or "speed-up: found not measured, needed lower end" in decision.failures


def test_a_score_without_classes_is_judged_by_its_own_floor_and_margin():
    champion = replace(evidence(), measurements=(measured("positive IU", "task", [0.5] * 20),))
    params = ShareParams(margin=0.05, milliseconds_limit=50.0)
    scores = {"better": 0.6, "a little worse": 0.46, "much worse": 0.42, "below the floor": 0.3}
    failures = {}
    for words, score in scores.items():
        challenger = replace(champion, measurements=(measured("positive IU", "task", [score] * 20),))
        failures[words] = failed(decide(challenger, champion, params))
    against = "positive IU against champion"
    assert failures == {
        "better": [],
        "a little worse": [],
        "much worse": [against],
        "below the floor": ["positive IU", against],
    }
    assert failed(decide(champion, None, PARAMS)) == ["classes"]


def test_one_unit_gives_no_interval_and_the_decision_says_so():
    decision = decide(cut(evidence((0.8, 0.8, 0.8)), 1), cut(evidence(), 1), PARAMS)
    assert "mean IU against champion" in failed(decision)
    assert "no interval from 1 image" in str(decision)
    assert "over 40 images" in str(decide(evidence(), evidence(), PARAMS))


def test_tasks_with_other_labels_are_not_compared():
    scores = [0.5, 0.6]
    one, same, other = (
        replace(evidence(), measurements=(measured("positive IU", "task", scores, labelled=np.array(labelled)),))
        for labelled in ([10, 20], [10, 20], [10, 21])
    )
    params = ShareParams(milliseconds_limit=50.0)
    assert "positive IU against champion" in str(decide(one, same, params))
    assert "the champion was scored on other data" in str(decide(one, other, params))


def test_a_model_of_other_classes_or_another_data_set_replaces_no_champion_unless_asked():
    renamed = evidence((0.99, 0.99, 0.99))
    renamed = replace(renamed, measurements=(replace(renamed.main, classes=("background", "tumour", "vessel")),))
    elsewhere = replace(evidence((0.99, 0.99, 0.99)), dataset="mine")
    elsewhere = replace(elsewhere, measurements=(cut(elsewhere, 30).main,))
    for other, words in ((renamed, "other classes: town"), (elsewhere, "other data set: mine")):
        decision = decide(other, evidence(), PARAMS)
        assert failed(decision) == ["data"]
        assert words in decision.failures
        assert decide(other, evidence(), PARAMS.model_copy(update={"other_data": True})).promote


def test_a_check_says_what_was_found_and_needed_to_as_many_digits_as_matter():
    said = {check.name: (check.found, check.needed) for check in decide(evidence(), None, PARAMS).checks}
    assert said["mean IU"][1] == ">= 0.5000"
    assert len(said["mean IU"][0]) == len("0.8123")
    assert said["ONNX parity"] == ("0.99950", ">= 0.99900")
    assert said["median latency"] == ("20.0 ms", "<= 50 ms")


def test_a_challenger_without_classes_is_refused_beside_a_champion_like_it():
    bare = Measurement("mean IU", "image", ("a", "b"), np.array([0.8, 0.9]))
    both = replace(evidence(), measurements=(bare,))
    assert failed(decide(both, both, PARAMS)) == ["classes"]
