"""Losses: what they weigh, what they leave out, and that the Lovász loss is its definition."""

import math
from itertools import pairwise, product

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.training.objectives import (
    compute_class_weights,
    compute_cross_entropy,
    compute_lovasz_softmax,
    compute_pixel_loss,
    compute_sigmoid_cross_entropy,
)

ALL = 10**6
LOSSES = ("softmax", "sigmoid")
VOID = 255


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


def gradient(logits: Tensor, label: Tensor, **choices) -> Tensor:
    logits = logits.clone().requires_grad_()
    (found,) = torch.autograd.grad(compute_pixel_loss(logits, label, **choices), logits)
    return found


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_power_one_equal_duplicating_pixels_until_the_classes_are_even(loss):
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 1, 12)
    label = torch.tensor([0] * 6 + [1] * 4 + [2] * 2).view(1, 1, 12)
    weights = compute_class_weights(torch.tensor([6.0, 4.0, 2.0]), power=1)
    copies = torch.tensor([2] * 6 + [3] * 4 + [6] * 2)
    duplicated = [x.repeat_interleave(copies, dim=-1) for x in (logits, label)]
    torch.testing.assert_close(
        compute_pixel_loss(logits, label, loss=loss, weights=weights), compute_pixel_loss(*duplicated, loss=loss)
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_whole_weights_equal_as_many_copies_of_a_pixel_in_the_sum_and_its_gradient(loss):
    logits, label = random_case(4)
    weights = torch.tensor([2.0, 1.0, 3.0])
    copies = [2, 1, 3]
    label_of_copies = torch.cat(
        [torch.where(label == c, label, VOID) for c in range(3) for _ in range(copies[c])], dim=0
    )
    found = compute_pixel_loss(logits, label, loss=loss, reduction="sum", weights=weights)
    torch.testing.assert_close(
        found, compute_pixel_loss(logits.repeat(6, 1, 1, 1), label_of_copies, loss=loss, reduction="sum")
    )


def test_weights_average_one_over_the_pixels_and_power_zero_is_unweighted():
    pixels = torch.tensor([900.0, 90.0, 10.0])
    for power in (0.0, 0.4, 1.0):
        weights = compute_class_weights(pixels, power)
        assert (weights * pixels).sum() / pixels.sum() == pytest.approx(1)
    assert compute_class_weights(pixels, 0).tolist() == pytest.approx([1, 1, 1])
    half = compute_class_weights(pixels, 0.5)
    assert (half[2] / half[1]).item() == pytest.approx(3)


def test_a_class_without_pixels_weighs_nothing():
    weights = compute_class_weights(torch.tensor([30.0, 0.0, 10.0]), power=0.4)
    assert weights[1] == 0
    assert weights.isfinite().all()


def test_cross_entropy_ignores_void():
    logits, label = random_case(0)
    kept = label != 255
    expected = F.cross_entropy(logits.movedim(1, -1)[kept], label[kept].long())
    torch.testing.assert_close(compute_cross_entropy(logits, label), expected)
    elsewhere = torch.where(kept[:, None], logits, torch.full_like(logits, 9.0))
    assert torch.equal(compute_cross_entropy(elsewhere, label), compute_cross_entropy(logits, label))


@pytest.mark.parametrize("loss", LOSSES)
def test_no_loss_looks_at_void_pixels(loss):
    logits, label = random_case(5)
    for reduction in ("mean", "sum"):
        found = gradient(logits, label, loss=loss, reduction=reduction)
        is_void = (label == VOID)[:, None].expand_as(found)
        assert not found[is_void].any()
        assert found[~is_void].all()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_sum_is_the_mean_times_the_labelled_pixels(loss):
    logits, label = random_case(6)
    mean, total = (compute_pixel_loss(logits, label, loss=loss, reduction=name) for name in ("mean", "sum"))
    torch.testing.assert_close(total, mean * (label != VOID).sum())


@pytest.mark.parametrize("loss", LOSSES)
def test_in_the_sum_a_pixel_counts_alike_whatever_the_size_of_its_picture(loss):
    logits, label = random_case(7)
    whole, part = (gradient(x, y, loss=loss, reduction="sum") for x, y in [(logits, label), (logits[:1], label[:1])])
    torch.testing.assert_close(whole[:1], part)


def test_softmax_is_the_choice_unless_another_is_asked_for():
    logits, label = random_case(8)
    weights = torch.tensor([0.5, 2.0, 1.0])
    assert torch.equal(
        compute_pixel_loss(logits, label, weights=weights), compute_cross_entropy(logits, label, weights)
    )


def test_the_sigmoid_loss_is_the_binary_cross_entropy_of_every_class_of_a_pixel():
    logits, label = random_case(9)
    chosen = label != VOID
    scores, truth = 5 * logits.movedim(1, -1)[chosen], F.one_hot(label[chosen].long(), 3).float()
    expected = F.binary_cross_entropy_with_logits(scores, truth, reduction="sum")
    torch.testing.assert_close(compute_sigmoid_cross_entropy(5 * logits, label, reduction="sum"), expected)


def test_under_sigmoid_classes_do_not_compete():
    logits, label = random_case(10)
    moved = logits.clone()
    moved[:, 2] += torch.randn(2, 5, 6)
    before, after = (gradient(x, label, loss="sigmoid") for x in (logits, moved))
    assert torch.equal(before[:, :2], after[:, :2])
    before, after = (gradient(x, label, loss="softmax") for x in (logits, moved))
    assert not torch.allclose(before[:, :2], after[:, :2])


def test_a_pixel_that_softmax_gets_right_beyond_doubt_sigmoid_does_too():
    label = torch.tensor([[[0, 1, 2]]])
    sure = 40.0 * (2 * F.one_hot(label, 3).movedim(-1, 1).float() - 1)
    for loss in LOSSES:
        assert compute_pixel_loss(sure, label, loss=loss).item() == pytest.approx(0, abs=1e-6)
        assert compute_pixel_loss(-sure, label, loss=loss).item() > 40


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_nothing_but_void_is_zero_with_a_zero_gradient(loss, reduction):
    logits = torch.randn(1, 3, 2, 2)
    label = torch.full((1, 2, 2), VOID, dtype=torch.uint8)
    assert compute_pixel_loss(logits, label, loss=loss, reduction=reduction) == 0
    assert not gradient(logits, label, loss=loss, reduction=reduction).any()


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kept", [0.25, 0.7])
def test_over_all_masks_the_gradient_of_what_is_kept_is_kept_times_the_whole(loss, kept):
    logits, label = random_case(11, size=(2, 2))
    logits, label = logits.double(), label[:, 1:]
    logits = logits[:, :, 1:]
    expected = torch.zeros_like(logits)
    for mask in product((False, True), repeat=label.numel()):
        probability = math.prod(kept if is_kept else 1 - kept for is_kept in mask)
        left = label.where(torch.tensor(mask).view_as(label), VOID)
        expected += probability * gradient(logits, left, loss=loss, reduction="sum")
    torch.testing.assert_close(expected / kept, gradient(logits, label, loss=loss, reduction="sum"), check_dtype=False)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kept", [0.25, 0.7])
def test_over_many_draws_the_gradient_of_what_is_kept_is_kept_times_the_whole(loss, kept):
    logits, label = random_case(12)
    draws = 4000
    generator = torch.Generator().manual_seed(0)
    copies = [x[:1].expand(draws, *x.shape[1:]) for x in (logits, label)]
    sampled = gradient(*copies, loss=loss, reduction="sum", sampled_share=kept, generator=generator)
    whole = gradient(logits[:1], label[:1], loss=loss, reduction="sum")
    torch.testing.assert_close(sampled.mean(dim=0, keepdim=True) / kept, whole, rtol=0.15, atol=0)


def test_every_pixel_is_kept_or_ignored_on_its_own():
    draws, kept = 20_000, 0.3
    logits, label = torch.zeros(draws, 2, 1, 2), torch.zeros(draws, 1, 2, dtype=torch.uint8)
    generator = torch.Generator().manual_seed(1)
    counted = gradient(logits, label, reduction="sum", sampled_share=kept, generator=generator)[:, 0, 0] != 0
    assert counted.float().mean(dim=0).tolist() == pytest.approx([kept, kept], abs=0.01)
    assert counted.all(dim=1).float().mean().item() == pytest.approx(kept**2, abs=0.01)


def test_the_mean_is_over_the_pixels_kept_so_that_sampling_leaves_its_scale():
    logits = torch.zeros(1, 2, 50, 50)
    label = torch.zeros(1, 50, 50, dtype=torch.uint8)
    for kept in (1.0, 0.5, 0.1):
        assert compute_pixel_loss(logits, label, sampled_share=kept).item() == pytest.approx(math.log(2))


def test_what_is_kept_is_drawn_from_torchs_own_stream_or_a_generator():
    logits, label = random_case(13)
    torch.manual_seed(3)
    first = gradient(logits, label, sampled_share=0.5)
    assert not torch.equal(gradient(logits, label, sampled_share=0.5), first)
    torch.manual_seed(3)
    assert torch.equal(gradient(logits, label, sampled_share=0.5), first)
    assert torch.equal(gradient(logits, label, sampled_share=0.5, generator=torch.Generator().manual_seed(3)), first)


def test_keeping_all_draws_nothing():
    logits, label = random_case(14)
    before = torch.get_rng_state()
    compute_pixel_loss(logits, label)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_lovasz_loss_equals_its_definition_and_so_does_its_gradient():
    for seed in range(5):
        logits, label = random_case(seed)
        mine, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
        found, expected = compute_lovasz_softmax(mine, label, ALL), lovasz_by_thresholds(theirs, label)
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
    assert compute_lovasz_softmax(logits, label, ALL).item() == pytest.approx(1 - sum(ius) / 3, abs=1e-6)
    assert 0 < sum(ius) / 3 < 1


def test_the_lovasz_loss_averages_over_the_classes_that_are_there():
    label = torch.zeros(1, 2, 2, dtype=torch.uint8)
    logits = torch.tensor([1000.0, 0, 0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert compute_lovasz_softmax(logits, label, ALL) == 0
    assert compute_lovasz_softmax(logits.flip(1), label, ALL) == 1


def test_the_lovasz_loss_of_nothing_but_void_is_zero_with_a_zero_gradient():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = compute_lovasz_softmax(logits, torch.full((1, 2, 2), 255, dtype=torch.uint8), ALL)
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


def test_loss_sampling_takes_as_many_pixels_as_asked_and_the_same_for_the_same_generator():
    logits, label = random_case(3)
    logits.requires_grad_()
    values = []
    for seed in (0, 0, 1):
        loss = compute_lovasz_softmax(logits, label, 4, torch.Generator().manual_seed(seed))
        (found,) = torch.autograd.grad(loss, logits)
        assert 0 < found.abs().sum(dim=1).count_nonzero() <= 4
        values.append(loss.item())
    assert values[0] == values[1] != values[2]
