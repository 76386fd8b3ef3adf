"""The clockwork family: a trained FCN cut into stages that run by clocks of their own (thesis chapter 3)."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.data.prepared import PreparedData, PreparedSplit
from pixelwise.errors import ModelError, ParamsError
from pixelwise.families.clockwork.change import Change
from pixelwise.families.clockwork.frame_pairs import frame_pairs
from pixelwise.families.clockwork.params import NetworkParams, StagesParams, TrainParams
from pixelwise.families.clockwork.runtime.stream_grids import GRIDS, SCORES
from pixelwise.families.clockwork.stages import Decode, Fuse, Skips, Stage, cut
from pixelwise.families.fcn import family as fcn
from pixelwise.families.fcn.params import NetworkParams as FCNParams
from pixelwise.families.graph import Graph
from pixelwise.model_folder import WEIGHTS_FILE
from pixelwise.nets.pixel_labeller import PixelLabeller, assemble_input
from pixelwise.nets.synthetic_inputs import make_images
from pixelwise.params import parse
from pixelwise.progress import progress
from pixelwise.training.loop import History, RecordMetrics
from pixelwise.training.params import StillImageParams
from pixelwise.training.still_images import StillImageTask

TRACED = (2, 96, 128)
# A map (N, C, h, w) inside the net: its size follows from the picture's.
MAP = {0: "batch", 2: None, 3: None}
PROBES = [(1, 360, 480), (1, 97, 131), (3, 65, 203), (1, 33, 40)]


class Clockwork(nn.Module):
    """A net with skips, the strides of its stages and its learned clock. image as for the net; returns its logits."""

    def __init__(self, net: Skips, borders: Sequence[int]) -> None:
        super().__init__()
        self.net = net
        self.strides = cut(net.strides, borders)
        self.change = Change(net.channels[net.strides.index(self.strides[0][-1])])

    def forward(self, image: Tensor) -> Tensor:
        """Logits of a single frame."""
        logits: Tensor = self.net(image)
        return logits

    def stages(self) -> list[Stage]:
        """The stages, shallow to deep."""
        return [Stage(self.net, strides).eval() for strides in self.strides]


def started(params: TrainParams, described: Mapping[str, Any], start: Path) -> TrainParams:
    """`params` with the net filled in that model.json, `described`, and the weights in the folder `start` say.

    Raises ModelError where that is no FCN.
    """
    if described["family"] != "fcn":
        raise ModelError(f"{start}: found a model of family {described['family']}, expected fcn")
    net = parse(FCNParams, {**described["network"], "weights": str(start / WEIGHTS_FILE)}, str(start))
    network = NetworkParams(borders=params.network.borders, fcn=net, trained=described["fingerprint"])
    return params.model_copy(update={"network": network})


def build(network: StagesParams, classes: int, pretrained: bool = True) -> Clockwork:
    """The net with an untaught clock. Raises ParamsError where it is not trained, or of a kind that cannot be cut."""
    if not isinstance(network, NetworkParams):
        raise ParamsError("clockwork: found no net to cut, expected --start with the folder of a trained FCN")
    net = fcn.build(network.fcn, classes, pretrained)
    if not isinstance(net, Skips) or network.fcn.inputs != "rgb" or network.fcn.heads != "semantic":
        raise ParamsError("clockwork: found a net of several parts, inputs or heads, expected a plain FCN of pictures")
    return Clockwork(net, network.borders)


def task_of(data: PreparedData, params: TrainParams) -> StillImageTask:
    """The splits, as pictures that are scored one by one. Raises DataError where the data lacks one."""
    still = StillImageParams(train_split=params.train_split, val_split=params.val_split)
    return StillImageTask(data.split(params.train_split), data.split(params.val_split), still)


def fit(net: Clockwork, data: PreparedData, params: TrainParams, state: Path, record: RecordMetrics) -> History:  # noqa: ARG001
    """Teach the clock what share of the output changes between two frames; the net stays as it is.

    Short, so that it starts anew where it was cut and keeps no state. One row: the clock's mean error on pairs of the
    validation split, in shares, and the scores of the net.
    """
    began, task = time.perf_counter(), task_of(data, params)
    net.eval()
    now, then, share = seen(net, task.train, params.pairs, params.seed)
    net.change.measure(now, then)
    loss = teach(net.change, now, then, share, params)
    found = seen(net, task.val, max(params.pairs // 4, 8), params.seed + 1)
    with torch.inference_mode():
        guessed = torch.stack([net.change(a, b)[0] for a, b in zip(*found[:2], strict=True)])
    row = {**task.score(net), "train/loss": loss, "val/clock_error": float((guessed - found[2]).abs().mean())}
    record(row, 1)
    return [{"epoch": 1.0, "seconds": time.perf_counter() - began, **row}]


@torch.inference_mode()
def seen(net: Clockwork, split: PreparedSplit, pairs: int, seed: int) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """What the clock sees of pairs of frames, now and then, (1, C, h, w) each, and the share that changed, (pairs,)."""
    first, device = net.stages()[0], next(net.parameters()).device
    features: list[list[Tensor]] = [[], []]
    shares = []
    for pair in progress(frame_pairs(split, pairs, seed), "pairs", total=pairs):
        labels = []
        for image, kept in zip(pair, features, strict=True):
            given = torch.from_numpy(np.ascontiguousarray(image))[None].to(device)
            kept.append(first(given)[0].clone())
            labels.append(net(assemble_input({"image": given})).argmax(dim=1))
        shares.append((labels[0] != labels[1]).float().mean())
    return features[1], features[0], torch.stack(shares)


def teach(clock: Change, now: list[Tensor], then: list[Tensor], share: Tensor, params: TrainParams) -> float:
    """Fit `clock` to the shares; return the last loss."""
    optimiser = torch.optim.AdamW(clock.parameters(), params.learning_rate)
    rng, loss = np.random.default_rng(params.seed), torch.zeros(())
    for _ in progress(range(params.steps), "clock"):
        place = int(rng.integers(len(now)))
        # Clones, since what was made in inference mode takes no part in learning.
        guess = clock(now[place].clone(), then[place].clone()).clamp(1e-6, 1 - 1e-6)
        loss = F.binary_cross_entropy(guess, share[place : place + 1].clone())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return float(loss.detach())


def rescore(net: Clockwork, data: PreparedData, params: TrainParams) -> dict[str, float]:
    """The validation scores of the net on single frames."""
    return task_of(data, params).score(net.eval())


def graphs(net: Clockwork, network: NetworkParams, classes: int) -> Sequence[Graph]:  # noqa: ARG001
    """The plain net, its stages, what fuses their streams, what makes labels of scores, and the learned clock."""
    stages, image = net.stages(), {0: "batch", 1: "height", 2: "width"}

    def shown(batch: int, height: int, width: int) -> dict[str, Tensor]:
        return {"image": make_images(batch, height, width)}

    @torch.inference_mode()
    def run(count: int, batch: int, height: int, width: int) -> tuple[Tensor, list[Tensor]]:
        """The features of the first `count` stages, and their streams, coarse to fine."""
        x, streams = make_images(batch, height, width), list[Tensor]()
        for stage in stages[:count]:
            out = stage(x)
            x, streams = out[0], [*(out if stage.is_last else out[1:]), *streams]
        return x, streams

    names = [f"stream_{stride}" for stride in sorted(net.net.strides, reverse=True)]
    grids = dict(zip([*names, SCORES], net.net.places, strict=True))
    found = [graph("model", PixelLabeller(net.net).eval(), shown, ["prediction"], {"image": image})]
    for place, (stage, strides) in enumerate(zip(stages, net.strides, strict=True)):
        outputs = [f"stream_{stride}" for stride in reversed(strides)]
        outputs = outputs if stage.is_last else ["features", *outputs]
        given = shown if stage.is_first else lambda *size, place=place: {"given": run(place, *size)[0]}
        axes = {"image": image} if stage.is_first else {"given": MAP}
        found.append(graph(f"stage{place + 1}", stage, given, outputs, axes))
    scores = Fuse(net.net).eval()
    found += [
        graph(
            "fuse",
            scores,
            lambda *size: dict(zip(names, run(len(stages), *size)[1], strict=True)),
            ["scores"],
            dict.fromkeys(names, MAP),
            {GRIDS: json.dumps(grids)},
        ),
        graph(
            "decode",
            Decode(net.net).eval(),
            lambda *size: {"scores": scores(*run(len(stages), *size)[1]), **shown(*size)},
            ["prediction"],
            {"scores": MAP, "image": image},
        ),
        graph(
            "change",
            net.change.eval(),
            lambda *size: {"now": run(1, *size)[0], "then": run(1, *size)[0].flip(3)},
            ["share"],
            {"now": MAP, "then": MAP},
        ),
    ]
    return found


def graph(
    name: str,
    module: nn.Module,
    example: Callable[[int, int, int], Mapping[str, Tensor]],
    outputs: Sequence[str],
    dynamic: Mapping[str, Mapping[int, str | None]],
    facts: Mapping[str, str] | None = None,
) -> Graph:
    """A graph of any batch and size."""
    return Graph(name, module, example, outputs, dynamic, TRACED, PROBES, facts or {})
