"""Measure ONNX Runtime against torch: the same inputs through every engine in one process, in turns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, PositiveInt

from pixelwise import command
from pixelwise.export.engines import open_engines, warm_up
from pixelwise.families.trained import graphs_of, load_trained
from pixelwise.files import write_json, write_text
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.speed import speed_table
from pixelwise.timing import measure_ratio, measure_spread, take_turns
from pixelwise.tracking import record_for_model


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
        return speed_table(self.report())


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


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
