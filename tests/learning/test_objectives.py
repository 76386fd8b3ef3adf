"""Losses: what they weigh, what they leave out, and that the Lovász loss is its definition."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from components.learning.objectives import class_weights, cross_entropy, lovasz_softmax

ALL = 10**6


def random_case(seed: int, classes: int = 3, size: tuple[int, int] = (5, 6)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(0, classes, (2, *size), generator=generator)
    label[:, 0] = 255
    return torch.randn(2, classes, *size, generator=generator), label.to(torch.uint8)


def lovasz_by_thresholds(logits: Tensor, label: Tensor) -> Tensor:
    """The Lovász extension as an integral: the Jaccard loss of the pixels whose error exceeds t, over t from 0 to 1."""
    kept = label != 255
    probability, truth = logits.double().softmax(dim=1).movedim(1, -1)[kept], label[kept].long()
    losses = []
    for c in truth.unique():
        is_c = truth == c
        errors = (is_c.double() - probability[:, c]).abs()
        thresholds = [errors.new_zeros(()), *errors.sort().values]
        total = errors.new_zeros(())
        for low, high in pairwise(thresholds):
            wrong = errors > low
            # A set of wrong pixels costs its share of the union of truth and prediction.
            total = total + (high - low) * wrong.sum() / (is_c | wrong).sum()
        losses.append(total)
    return torch.stack(losses).mean()


def test_weights_of_power_one_equal_duplicating_pixels_until_the_classes_are_even():
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 1, 12)
    label = torch.tensor([0] * 6 + [1] * 4 + [2] * 2).view(1, 1, 12)
    weights = class_weights(torch.tensor([6.0, 4.0, 2.0]), power=1)
    copies = torch.tensor([2] * 6 + [3] * 4 + [6] * 2)
    duplicated = [x.repeat_interleave(copies, dim=-1) for x in (logits, label)]
    torch.testing.assert_close(cross_entropy(logits, label, weights), cross_entropy(*duplicated))


def test_weights_average_one_over_the_pixels_and_power_zero_is_unweighted():
    pixels = torch.tensor([900.0, 90.0, 10.0])
    for power in (0.0, 0.4, 1.0):
        weights = class_weights(pixels, power)
        assert (weights * pixels).sum() / pixels.sum() == pytest.approx(1)
    assert class_weights(pixels, 0).tolist() == pytest.approx([1, 1, 1])
    half = class_weights(pixels, 0.5)
    assert (half[2] / half[1]).item() == pytest.approx(3)


def test_a_class_without_pixels_weighs_nothing():
    weights = class_weights(torch.tensor([30.0, 0.0, 10.0]), power=0.4)
    assert weights[1] == 0
    assert weights.isfinite().all()


def test_cross_entropy_ignores_void():
    logits, label = random_case(0)
    kept = label != 255
    expected = F.cross_entropy(logits.movedim(1, -1)[kept], label[kept].long())
    torch.testing.assert_close(cross_entropy(logits, label), expected)
    elsewhere = torch.where(kept[:, None], logits, torch.full_like(logits, 9.0))
    assert torch.equal(cross_entropy(elsewhere, label), cross_entropy(logits, label))


def test_the_lovasz_loss_equals_its_definition_and_so_does_its_gradient():
    for seed in range(5):
        logits, label = random_case(seed)
        mine, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
        found, expected = lovasz_softmax(mine, label, ALL), lovasz_by_thresholds(theirs, label)
        assert found.item() == pytest.approx(expected.item(), abs=1e-6)
        found.backward()
        expected.backward()
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-4, atol=1e-6)


def test_the_lovasz_definition_used_here_passes_a_numerical_gradient_check():
    logits, label = random_case(7, size=(3, 2))
    assert torch.autograd.gradcheck(lambda x: lovasz_by_thresholds(x, label), logits.double().requires_grad_())


def test_for_a_certain_prediction_the_lovasz_loss_is_one_minus_mean_iu():
    _, label = random_case(1)
    prediction = random_case(2)[1].clamp(max=2).long()
    logits = 1000.0 * F.one_hot(prediction, 3).movedim(-1, 1).float()
    kept = label != 255
    ius = []
    for c in range(3):
        truth, found = (label == c) & kept, (prediction == c) & kept
        ius.append(((truth & found).sum() / (truth | found).sum()).item())
    assert lovasz_softmax(logits, label, ALL).item() == pytest.approx(1 - sum(ius) / 3, abs=1e-6)
    assert 0 < sum(ius) / 3 < 1


def test_the_lovasz_loss_averages_over_the_classes_that_are_there():
    label = torch.zeros(1, 2, 2, dtype=torch.uint8)
    logits = torch.tensor([1000.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert lovasz_softmax(logits, label, ALL) == 0
    assert lovasz_softmax(logits.flip(1), label, ALL) == 1


def test_the_lovasz_loss_of_nothing_but_void_is_zero_with_a_zero_gradient():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = lovasz_softmax(logits, torch.full((1, 2, 2), 255, dtype=torch.uint8), ALL)
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_loss_sampling_takes_as_many_pixels_as_asked_and_the_same_for_the_same_generator():
    logits, label = random_case(3)
    logits.requires_grad_()
    values = []
    for seed in (0, 0, 1):
        loss = lovasz_softmax(logits, label, 4, torch.Generator().manual_seed(seed))
        (gradient,) = torch.autograd.grad(loss, logits)
        assert 0 < gradient.abs().sum(dim=1).count_nonzero() <= 4
        values.append(loss.item())
    assert values[0] == values[1] != values[2]
