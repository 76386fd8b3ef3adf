"""What is kept of many scored items."""

import random

from pixelwise.evaluation.error_analysis.best import Best


def test_the_best_of_each_key_are_kept_in_order_and_only_they_are_made():
    rng = random.Random(0)
    offers = [(rng.random(), rng.randrange(40)) for _ in range(400)]
    best, made = Best(5), []

    def make(score: float) -> float:
        made.append(score)
        return score

    for score, key in offers:
        best.offer(score, key, lambda score=score: make(score))
    of_key = {key: max(score for score, other in offers if other == key) for _, key in offers}
    assert best.items() == sorted(of_key.values(), reverse=True)[:5]
    assert len(made) < 100
