"""The training loop of every family: Fabric handles the devices, a `Task` defines samples, loss and score.

A killed run resumes after its last finished epoch and reaches the same weights, bit for bit on a CPU: every sample is
seeded by (seed, epoch, index), torch's generator is seeded in each epoch, and no gradient outlives its epoch.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from pixelwise.progress import progress
from pixelwise.training.checkpoints import flatten_optimiser, load_tensors, restore_optimiser, save_tensors
from pixelwise.training.convolutions import FastConvolutions
from pixelwise.training.devices import make_fabric
from pixelwise.training.optimisers import (
    WeightAverage,
    compute_poly_factor,
    compute_warmup_factor,
    make_adamw,
    make_sgd,
    set_learning_rate,
)
from pixelwise.training.params import LoopParams

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Arrays = Mapping[str, np.ndarray]
RecordMetrics = Callable[[Mapping[str, float], int], None]
History = list[dict[str, float]]
STATE_FILE = "state.safetensors"
BEST_FILE = "best.safetensors"
# Batches prepared ahead: two keep the threads busy during a training step; more only cost memory.
PREFETCH_BATCHES = 2


class Task(Protocol):
    """A training task: its samples, the loss over a batch of samples, and the score of the net.

    is_summed: whether the loss is a sum over its batch, not a mean. Gradients of sums are added over the batches of a
    step and over processes; gradients of means are averaged.
    """

    is_summed: bool

    def __len__(self) -> int:
        """The number of samples per epoch."""

    def sample(self, seed: int, epoch: int, index: int) -> Arrays:
        """One training sample; the same arguments give the same arrays."""

    def loss(self, net: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """A scalar to minimise. batch: the samples' arrays stacked along a new first axis."""

    def score(self, net: nn.Module) -> dict[str, float]:
        """Validation metrics by name; the first one selects the weights."""


@dataclass
class LoopState:
    """The progress of a run, which resuming needs beside the tensors. `stale`: validations without improvement."""

    epoch: int = 0
    best: float = float("-inf")
    stale: int = 0
    history: History = field(default_factory=list)


def fit(net: nn.Module, task: Task, params: LoopParams, state: Path, record: RecordMetrics) -> History:
    """Train `net` in place and leave it with the best averaged weights. Returns one row of metrics per
    epoch.

    `state` holds the resumable state; the caller removes it after the result is saved. `record` gets the metrics and
    their epoch, also those of before the kill that a run resumes after. Raises ProviderError if the requested device is
    missing.
    """
    fabric = make_fabric(params, params.devices, params.strategy)
    # Under `fabric run` the processes are there already, and a second launch is refused.
    if os.environ.get("LT_CLI_USED") != "1":
        fabric.launch()
    # Convolutions run 1.3 times as fast on channels-last memory, on CPUs and GPUs alike.
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model, optimiser = fabric.setup(net, make_optimiser(net, params))
    average = WeightAverage(net, params.average_decay)
    loop_state = restore_state(net, optimiser, average, state)
    if fabric.is_global_zero:
        for epoch, row in enumerate(loop_state.history, start=1):
            record({name: value for name, value in row.items() if name != "epoch"}, epoch)
    count = max(1, len(task) // (params.batch_size * fabric.world_size))
    for epoch in range(loop_state.epoch, params.epochs):
        if loop_state.stale >= params.patience:
            break
        torch.manual_seed(make_epoch_seed(params.seed, epoch, fabric.global_rank))
        row = train_epoch(fabric, model, optimiser, average, task, params, epoch, count)
        if (epoch + 1) % params.validate_every == 0 or epoch + 1 == params.epochs:
            row |= validate(fabric, task, average, loop_state, state)
        loop_state.history.append({"epoch": float(epoch + 1), **row})
        loop_state.epoch = epoch + 1
        if fabric.is_global_zero:
            # Saved first, since `record` may end the training, which then resumes after this epoch.
            save_state(net, optimiser, average, loop_state, state)
            record(row, epoch + 1)
        fabric.barrier()
    net.load_state_dict(load_tensors(state / BEST_FILE)[0])
    # Nobody may remove the state before all have read it.
    fabric.barrier()
    return loop_state.history


def make_optimiser(net: nn.Module, params: LoopParams) -> torch.optim.Optimizer:
    """The optimiser that `params` ask for."""
    if params.optimiser == "sgd":
        return make_sgd(net, params.learning_rate, params.momentum, params.weight_decay, params.bias_rate)
    return make_adamw(net, params.learning_rate, params.weight_decay)


def compute_learning_rate(step: int, steps: int, params: LoopParams) -> float:
    """The learning rate of `step` of `steps`."""
    if params.schedule == "fixed":
        return params.learning_rate * compute_warmup_factor(step, params.warmup_steps)
    return params.learning_rate * compute_poly_factor(step, steps, params.warmup_steps)


def train_epoch(
    fabric: "Fabric",
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage,
    task: Task,
    params: LoopParams,
    epoch: int,
    count: int,
) -> dict[str, float]:
    """One pass of `count` batches; returns the mean loss of a batch, the last learning rate and the speed.

    Warm-up, schedule and weight average count steps of the optimiser. The last step of an epoch uses the remaining
    batches, which may be fewer than params.accumulate.
    """
    model.train()
    total, start = torch.zeros((), device=fabric.device), perf_counter()
    steps = math.ceil(count / params.accumulate)
    loader = load_batches(task, params, epoch, count, fabric.global_rank, fabric.world_size)
    for index, arrays in enumerate(progress(loader, f"epoch {epoch + 1}/{params.epochs}", total=count)):
        done, micro_step = divmod(index, params.accumulate)
        size = min(params.accumulate, count - done * params.accumulate)
        step = epoch * steps + done
        if micro_step == 0:
            rate = compute_learning_rate(step, steps * params.epochs, params)
            set_learning_rate(optimiser, rate)
            optimiser.zero_grad()
        total += add_gradient(fabric, model, task, arrays, size, is_last=micro_step + 1 == size)
        if micro_step + 1 == size:
            optimiser.step()
            average.update(model, step)
    loss, images = (total / count).item(), count * params.batch_size * fabric.world_size
    seconds = perf_counter() - start
    return {"train/loss": loss, "learning_rate": rate, "images_per_second": images / seconds, "seconds": seconds}


def add_gradient(fabric: "Fabric", model: nn.Module, task: Task, arrays: Arrays, size: int, is_last: bool) -> Tensor:
    """Add the gradient of one of the `size` batches of a step (thesis §2.3.1); returns the batch's loss.

    Processes exchange gradients only with the last batch of a step, if their strategy allows it.
    """
    batch = {name: fabric.to_device(torch.from_numpy(array)) for name, array in arrays.items()}
    # Fabric always averages over processes.
    share = fabric.world_size if task.is_summed else 1 / size
    with fabric.no_backward_sync(model, enabled=not is_last):
        with FastConvolutions():
            loss = task.loss(model, batch)
        fabric.backward(loss * share)
    return loss.detach()


def load_batches(task: Task, params: LoopParams, epoch: int, count: int, rank: int, world: int) -> Iterator[Arrays]:
    """The `count` batches of one epoch for process `rank` of `world`, prepared by threads a few ahead of the net."""
    mine = np.random.default_rng((params.seed, epoch)).permutation(len(task))[rank::world]
    size = params.batch_size
    batches = [mine[np.arange(index * size, (index + 1) * size) % len(mine)] for index in range(count)]
    with ThreadPoolExecutor(params.loader_threads) as pool:

        def prepare(indices: np.ndarray) -> list[Future[Arrays]]:
            return [pool.submit(task.sample, params.seed, epoch, int(index)) for index in indices]

        waiting = deque(prepare(indices) for indices in batches[:PREFETCH_BATCHES])
        for index in range(count):
            samples = [sample.result() for sample in waiting.popleft()]
            if index + PREFETCH_BATCHES < count:
                waiting.append(prepare(batches[index + PREFETCH_BATCHES]))
            yield {name: np.stack([sample[name] for sample in samples]) for name in samples[0]}


def validate(
    fabric: "Fabric", task: Task, average: WeightAverage, loop_state: LoopState, state: Path
) -> dict[str, float]:
    """Score the averaged weights, and save them if they are the best so far."""
    # Each process has its own normalisation statistics and so its own score; without the broadcast, processes could
    # disagree on early stopping.
    scores: dict[str, float] = fabric.broadcast(task.score(average.net))
    decisive = next(iter(scores.values()))
    # The first weights are always saved: the score is nan if all labels are void, and nan is never greater.
    if decisive > loop_state.best or not (state / BEST_FILE).exists():
        loop_state.best, loop_state.stale = -math.inf if math.isnan(decisive) else decisive, 0
        if fabric.is_global_zero:
            save_tensors(state / BEST_FILE, average.net.state_dict())
    else:
        loop_state.stale += 1
    return scores


def save_state(
    net: nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage, loop_state: LoopState, state: Path
) -> None:
    """Write the state that `restore_state` reads."""
    states = {"net": net.state_dict(), "average": average.net.state_dict(), "optimiser": flatten_optimiser(optimiser)}
    tensors = {f"{group}/{name}": value for group, values in states.items() for name, value in values.items()}
    save_tensors(state / STATE_FILE, tensors, asdict(loop_state))


def restore_state(net: nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage, state: Path) -> LoopState:
    """Load the last saved state into the arguments, if there is one; returns its progress."""
    if not (state / STATE_FILE).exists():
        return LoopState()
    tensors, facts = load_tensors(state / STATE_FILE)
    states: dict[str, dict[str, Tensor]] = {"net": {}, "average": {}, "optimiser": {}}
    for key, value in tensors.items():
        group, _, name = key.partition("/")
        states[group][name] = value
    net.load_state_dict(states["net"])
    average.net.load_state_dict(states["average"])
    restore_optimiser(optimiser, states["optimiser"])
    return LoopState(**facts)


def make_epoch_seed(seed: int, epoch: int, rank: int) -> int:
    """One seed of torch's stream for an epoch of a process."""
    words: Any = np.random.SeedSequence((seed, epoch, rank)).generate_state(1)
    return int(words[0])
