"""Time a training step on a CPU: torch's own convolutions against those of training, in float32 and in bfloat16.

`python -m benchmarks.training_step --data data/prepared`
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor, nn

from pixelwise import command
from pixelwise.data.prepared import PreparedData
from pixelwise.families.fcn import family
from pixelwise.families.fcn.params import TrainParams
from pixelwise.timing import describe_machine, measure_ratio, measure_spread, take_turns
from pixelwise.training.allocator import keep_freed_memory
from pixelwise.training.convolutions import FastConvolutions
from pixelwise.training.devices import make_fabric
from pixelwise.training.loop import load_batches
from pixelwise.training.params import DeviceParams, Precision
from pixelwise.training.still_images import StillImageTask

BASE = "float32, torch"
WAYS: dict[str, tuple[Callable[[], AbstractContextManager[object]], Precision]] = {
    BASE: (nullcontext, "32-true"),
    "float32": (FastConvolutions, "32-true"),
    "bfloat16, torch": (nullcontext, "bf16-mixed"),
    "bfloat16": (FastConvolutions, "bf16-mixed"),
}


def make_step(net: nn.Module, task: StillImageTask, batch: dict[str, Tensor], way: str) -> Callable[[], None]:
    """Return a call of forward and backward; the optimiser takes 2 % of a step and is left out."""
    context, precision = WAYS[way]
    fabric = make_fabric(DeviceParams(device="cpu", precision=precision))
    model = fabric.setup_module(net)

    def step() -> None:
        model.zero_grad()
        with context():
            loss = task.loss(model, batch)
        fabric.backward(loss)

    return step


def run(
    params: TrainParams,
    data: Annotated[Path, "folder of the prepared data"],
    *,
    turns: Annotated[int, "turns that count"] = 9,
    threads: Annotated[int, "threads of torch"] = 2,
) -> None:
    """Time steps of the FCN of a parameters file, in turns, after two to warm up."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    prepared = PreparedData(data)
    torch.manual_seed(params.seed)
    net = family.build(params.network, len(prepared.classes)).train()
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = family.make_task(prepared, params)
    arrays = next(load_batches(task, params, 0, 1, 0, 1))
    batch = {name: torch.from_numpy(values) for name, values in arrays.items()}
    times = take_turns({way: make_step(net, task, batch, way) for way in WAYS}, turns, warmup=2, words="steps")
    print(f"{describe_machine()}; {threads} threads; batch of {params.batch_size}; {turns} turns, median (p10–p90)")
    for way, found in times.items():
        speed = measure_ratio(times[BASE], found)
        print(f"{way:<16}{measure_spread(found):.0f} ms, {speed:.2f} times as fast as {BASE}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, "fcn.train", argv)


if __name__ == "__main__":
    main()
