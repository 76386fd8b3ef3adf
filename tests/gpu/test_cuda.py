"""What CUDA must not change. Needs torch, timm, Lightning Fabric and a GPU; none of the pipeline's tools."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning.fabric")

from pixelwise.families.fcn.net import FCN  # noqa: E402
from pixelwise.nets.backbones import Backbone  # noqa: E402
from pixelwise.nets.pixel_labeller import PixelLabeller, assemble_input  # noqa: E402
from pixelwise.training.loop import fit  # noqa: E402
from pixelwise.training.params import LoopParams  # noqa: E402

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA"),
]
CLASSES = 3
PARAMS = LoopParams(epochs=3, batch_size=4, warmup_steps=2, validate_every=1, learning_rate=3e-3)


class KilledError(Exception):
    """Stands for a kill."""


@cache
def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image of coloured blocks in noise, and the label: the class is the strongest channel."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, CLASSES, (6, 8)).repeat(16, axis=0).repeat(16, axis=1)
    image = rng.integers(0, 100, (*label.shape, 3))
    image[label[..., None] == np.arange(3)] += 150
    return image.astype(np.uint8), label


@dataclass
class Blocks:
    """Segment blocks by their colour."""

    is_summed = False
    kill_at: int = -1
    calls: int = 0

    def __len__(self) -> int:
        return 16

    def sample(self, seed, epoch, index):
        image, label = scene(index)
        return {"image": image, "label": label}

    def loss(self, net, batch):
        if self.calls == self.kill_at:
            raise KilledError
        self.calls += 1
        return torch.nn.functional.cross_entropy(net(assemble_input({"image": batch["image"]})), batch["label"])

    @torch.inference_mode()
    def score(self, net):
        device = next(net.parameters()).device
        images = torch.from_numpy(np.stack([scene(100 + i)[0] for i in range(4)])).to(device)
        found = net(assemble_input({"image": images})).argmax(dim=1).cpu().numpy()
        return {"val/accuracy": float((found == np.stack([scene(100 + i)[1] for i in range(4)])).mean())}


def train(state, task=None, **changes):
    torch.manual_seed(0)
    net = FCN(Backbone("efficientnet_lite0", (8, 16, 32), "none"), CLASSES)
    history = fit(net, task or Blocks(), PARAMS.model_copy(update=changes), state, lambda row, epoch: None)
    return net.cpu().eval(), history


def losses(history):
    return [row["train/loss"] for row in history]


def test_the_first_steps_on_cuda_are_those_on_the_cpu(tmp_path):
    _, on_cpu = train(tmp_path / "cpu", device="cpu", epochs=1)
    _, on_cuda = train(tmp_path / "cuda", device="cuda", epochs=1)
    assert losses(on_cuda) == pytest.approx(losses(on_cpu), rel=0.02)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_trains_about_as_well_as_full_and_keeps_full_weights(tmp_path, precision):
    _, full = train(tmp_path / "full", device="cuda")
    net, mixed = train(tmp_path / "mixed", device="cuda", precision=precision)
    assert losses(mixed) == pytest.approx(losses(full), rel=0.15)
    assert losses(mixed)[-1] < losses(mixed)[0]
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in net.parameters())


def test_a_training_on_cuda_killed_and_resumed_goes_on_where_it_was(tmp_path):
    _, whole = train(tmp_path / "whole", device="cuda")
    with pytest.raises(KilledError):
        train(tmp_path / "killed", Blocks(kill_at=6), device="cuda")
    task = Blocks()
    _, resumed = train(tmp_path / "killed", task, device="cuda")
    assert task.calls == 8
    # The order of sums on a GPU is not fixed, so the curves agree closely, not to the bit.
    assert losses(resumed) == pytest.approx(losses(whole), rel=0.05)


def test_a_training_begun_on_cuda_goes_on_on_the_cpu(tmp_path):
    with pytest.raises(KilledError):
        train(tmp_path, Blocks(kill_at=9), device="cuda")
    task = Blocks()
    _, history = train(tmp_path, task, device="cpu")
    assert task.calls == 4
    assert len(history) == 3


def test_torch_on_cuda_predicts_what_it_predicts_on_the_cpu(tmp_path):
    net, _ = train(tmp_path, device="cuda", epochs=8)
    shipped = PixelLabeller(net)
    for size in ((96, 128), (75, 101)):
        images = torch.from_numpy(np.stack([scene(200 + i)[0][: size[0], : size[1]] for i in range(4)]))
        with torch.inference_mode():
            expected = shipped.cpu()(images)
            found = shipped.cuda()(images.cuda()).cpu()
        assert (found == expected).float().mean() >= 0.999
        assert len(expected.unique()) == CLASSES
