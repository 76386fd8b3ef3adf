"""Measure ONNX Runtime against torch: the same inputs through every engine in one process, in turns."""

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from pixelwise import command
from pixelwise.errors import PixelwiseError, ProviderError
from pixelwise.families.graph import Graph
from pixelwise.families.trained import graphs_of, load_trained
from pixelwise.files import write_json, write_text
from pixelwise.inference.session import open_model
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params
from pixelwise.registry.references import resolve_model_folder
from pixelwise.timing import Spread, measure_ratio, measure_spread, take_turns
from pixelwise.tracking import record_for_model

# Inputs of the graph by name, each with a first axis for the batch.
Inputs = Mapping[str, np.ndarray]
Engine = Callable[[Inputs], object]


class BenchmarkParams(Params):
    """Section `<family>.benchmark`."""

    width: PositiveInt = Field(480, description="width of the pictures")
    height: PositiveInt = Field(360, description="height of the pictures")
    batch_size: PositiveInt = Field(4, description="pictures at once where throughput is measured")
    warmup: PositiveInt = Field(3, description="runs of each engine that do not count")
    repeats: PositiveInt = Field(20, description="runs of each engine that count")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where every engine runs")


@dataclass(frozen=True)
class Benchmark:
    """Milliseconds of every run, by engine, at batch 1 and at the larger batch."""

    params: BenchmarkParams
    single: Mapping[str, Sequence[float]]
    batched: Mapping[str, Sequence[float]]
    left_out: Mapping[str, str]

    def report(self) -> dict[str, Any]:
        """What benchmark.json holds: per engine median and p90, throughput, and ratios paired run by run."""
        engines = {
            name: {
                "median_milliseconds": measure_spread(times).median,
                "p90_milliseconds": measure_spread(times).p90,
                "images_per_second": 1000 * self.params.batch_size / measure_spread(self.batched[name]).median,
                "times_onnx": measure_ratio(times, self.single["onnx"]).as_json(),
                "times_onnx_batched": measure_ratio(self.batched[name], self.batched["onnx"]).as_json(),
            }
            for name, times in self.single.items()
            if name in self.batched
        }
        return {
            "onnx_median_milliseconds": engines["onnx"]["median_milliseconds"],
            "picture": [self.params.height, self.params.width],
            **self.params.model_dump(include={"batch_size", "warmup", "repeats", "device"}),
            "threads": torch.get_num_threads(),
            "engines": engines,
            "left_out": dict(self.left_out),
        }

    def __str__(self) -> str:
        return table(self.report())


def table(report: Mapping[str, Any]) -> str:
    """The report as a table for people."""
    height, width = report["picture"]
    lines = [
        f"{width}×{height} on {report['device']}, {report['threads']} threads; {report['repeats']} runs in turns",
        f"{'engine':<16}{'median ms':>10}{'p90 ms':>9}{'images/s':>10}{'ms / ONNX ms (p10–p90)':>26}",
    ]
    for name, engine in report["engines"].items():
        spread = f"{Spread(**engine['times_onnx']):.2f}"
        lines.append(
            f"{name:<16}{engine['median_milliseconds']:>10.1f}{engine['p90_milliseconds']:>9.1f}"
            f"{engine['images_per_second']:>10.1f}{spread:>26}"
        )
    return "\n".join([*lines, *(f"{name}: left out, {why}" for name, why in report["left_out"].items())])


def run(
    params: BenchmarkParams,
    model: Annotated[Path, "folder of the exported model with its checkpoint, or models:/NAME@ALIAS"],
    out: Annotated[Path, "folder for benchmark.json and benchmark.txt"],
) -> Benchmark:
    """Time ONNX Runtime (and int8 where offered), torch eager on channels-last memory, and torch.compile.

    Raises ModelError where the model cannot be opened and ProviderError where the device cannot be had.
    """
    model = resolve_model_folder(model)
    (graph,) = graphs_of(*load_trained(ModelFolder(model).checkpoint))
    engines, left_out = open_engines(model, graph, params.device)
    times = {}
    for batch in (1, params.batch_size):
        inputs = {name: x.numpy() for name, x in graph.example(batch, params.height, params.width).items()}
        left_out |= warm_up(engines, inputs, params.warmup)
        times[batch] = take_turns(
            {name: partial(engine, inputs) for name, engine in engines.items()},
            params.repeats,
            words=f"benchmark, batch {batch}",
        )
    found = Benchmark(params, times[1], times[params.batch_size], left_out)
    write_json(out / "benchmark.json", found.report())
    write_text(out / "benchmark.txt", f"{found}\n")
    medians = {name: engine["median_milliseconds"] for name, engine in found.report()["engines"].items()}
    record_for_model(model, {f"benchmark/{name.replace(' ', '_')}_ms": value for name, value in medians.items()})
    return found


def open_engines(model: Path, graph: Graph, device: Literal["cpu", "cuda"]) -> tuple[dict[str, Engine], dict[str, str]]:
    """Every engine that can run `graph` here, and why others cannot."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ProviderError("device cuda: torch finds none, expected cpu")
    module: Any = graph.module.to(device)
    module = module.to(memory_format=torch.channels_last)
    engines: dict[str, Engine] = {"onnx": open_model(model, device, torch.get_num_threads()).label}
    left_out: dict[str, str] = {}
    int8 = ModelFolder(model).int8
    if ModelFolder(int8).graph().exists():
        engines["onnx int8"] = open_model(int8, device, torch.get_num_threads()).label
    else:
        left_out["onnx int8"] = "not offered by quantize"
    engines["torch eager"] = torch_engine(module, device)
    # The compiler reports what it lacks for CUDA, also where nobody asked for CUDA.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    engines["torch compile"] = torch_engine(torch.compile(module), device)
    return engines, left_out


def torch_engine(module: Callable[..., Any] | nn.Module, device: str) -> Engine:
    """`module` from NumPy to NumPy, as ONNX Runtime takes and gives it."""

    @torch.inference_mode()
    def engine(inputs: Inputs) -> list[np.ndarray]:
        labels = module(*(torch.from_numpy(values).to(device) for values in inputs.values()))
        return [x.cpu().numpy() for x in ([labels] if isinstance(labels, Tensor) else labels)]

    return engine


def warm_up(engines: dict[str, Engine], inputs: Inputs, runs: int) -> dict[str, str]:
    """Run every engine `runs` times; those that fail (torch.compile needs a C++ compiler) are taken out and named."""
    failed = {}
    for name, engine in list(engines.items()):
        try:
            with warnings.catch_warnings(action="ignore"):
                for _ in range(runs):
                    engine(inputs)
        except PixelwiseError:
            raise
        except Exception as error:
            if name != "torch compile":
                raise
            failed[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
            del engines[name]
    return failed


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
