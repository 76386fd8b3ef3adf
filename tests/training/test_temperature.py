"""The temperature of class probabilities: what it is fitted on, and that it is found."""

import numpy as np
import pytest
import torch

from pixelwise.data.items import VOID
from pixelwise.data.prepared import PreparedData
from pixelwise.families.fcn import family as fcn
from pixelwise.training.temperature import LARGEST, PIXELS, fit_temperature, sample_pixels


def draw(temperature: float, pixels: int = 100_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn from softmax(logits / temperature)."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(pixels, 5, generator=generator)
    return logits, torch.multinomial(torch.softmax(logits / temperature, dim=1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_found(temperature):
    logits, labels = draw(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.02)


def test_logits_three_times_as_large_have_three_times_the_temperature():
    logits, labels = draw(1.0)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3 * fit_temperature(logits, labels), rel=1e-4)


def test_no_other_temperature_gives_the_labels_a_greater_likelihood():
    logits, labels = draw(2.0, pixels=1000)
    found = fit_temperature(logits, labels)
    loss = [torch.nn.functional.cross_entropy(logits.double() / (found * k), labels) for k in (0.99, 1.0, 1.01)]
    assert min(loss) == loss[1]


def test_labels_that_are_always_the_most_probable_or_never_give_the_ends_of_the_range():
    logits, _ = draw(1.0, pixels=1000)
    assert fit_temperature(logits, logits.argmax(dim=1)) == pytest.approx(1 / LARGEST, rel=1e-4)
    assert fit_temperature(logits, logits.argmin(dim=1)) == pytest.approx(LARGEST, rel=1e-4)


def test_the_sample_is_of_labelled_pixels_with_the_logits_of_the_net(tiny_town, monkeypatch):
    data = PreparedData(tiny_town)
    params = fcn.TrainParams.model_validate({"network": {"weights": "none"}, "device": "cpu"})
    task = fcn.make_task(data, params)

    class Known(torch.nn.Module):
        """Its logits at a pixel are the picture's channels, and zeros."""

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, image):
            return torch.cat([image, torch.zeros(1, len(data.classes) - 3, *image.shape[2:])], dim=1)

    read = type(task).read_maps
    hidden = lambda *given: {**read(*given), "label": np.where(np.arange(96) < 40, VOID, read(*given)["label"])}  # noqa: E731
    monkeypatch.setattr(type(task), "read_maps", hidden)
    logits, labels = sample_pixels(Known(), task)
    visible = [(sample.image[:, 40:], sample.label[:, 40:]) for sample in task.val]
    expected = np.concatenate([np.column_stack([i.reshape(-1, 3), label.ravel()]) for i, label in visible])
    expected = expected[expected[:, 3] != VOID]
    assert len(expected) < PIXELS
    found = np.column_stack([logits[:, :3].numpy(), labels.numpy()])
    assert np.array_equal(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)])
    monkeypatch.setattr("pixelwise.training.temperature.PIXELS", 100)
    first, again = (sample_pixels(Known(), task) for _ in range(2))
    assert len(first[0]) == 100
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
