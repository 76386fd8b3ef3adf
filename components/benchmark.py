"""Compare the speed of ONNX Runtime and torch: one process runs every engine in turn on the same inputs."""

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
from pixelwise.reporting.speed import format_speed_table
from pixelwise.timing import measure_ratio, measure_spread, take_turns
from pixelwise.tracking import record_for_model


class BenchmarkParams(Params):
    """Section `<family>.benchmark`."""

    width: PositiveInt = Field(480, description="width of the pictures")
    height: PositiveInt = Field(360, description="height of the pictures")
    batch_size: PositiveInt = Field(4, description="batch size of the throughput measurement")
    warmup: PositiveInt = Field(3, description="runs of each engine before the measured ones")
    repeats: PositiveInt = Field(20, description="measured runs of each engine")
    device: Literal["cpu", "cuda"] = Field("cpu", description="device of every engine")


@dataclass(frozen=True)
class Benchmark:
    """Milliseconds of every run, by engine: `single` at batch 1, `batched` at `batch_size`.

    left_out: engine -> why it was not measured.
    """

    params: BenchmarkParams
    single: Mapping[str, Sequence[float]]
    batched: Mapping[str, Sequence[float]]
    left_out: Mapping[str, str]

    def report(self) -> dict[str, Any]:
        """Content of benchmark.json: median, p90, throughput and run-by-run paired ratios of each engine."""
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
        return format_speed_table(self.report())


def run(
    params: BenchmarkParams,
    model: Annotated[Path, "folder of the exported model with its checkpoint, or models:/NAME@ALIAS"],
    out: Annotated[Path, "folder for benchmark.json and benchmark.txt"],
) -> Benchmark:
    """Time ONNX Runtime (and int8 where offered), torch eager on channels-last memory, and torch.compile.

    Raises ModelError where the model cannot be opened and ProviderError where the device is not available.
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
    benchmark = Benchmark(params, times[1], times[params.batch_size], left_out)
    write_json(out / "benchmark.json", benchmark.report())
    write_text(out / "benchmark.txt", f"{benchmark}\n")
    medians = {name: engine["median_milliseconds"] for name, engine in benchmark.report()["engines"].items()}
    record_for_model(model, {f"benchmark/{name.replace(' ', '_')}_ms": value for name, value in medians.items()})
    return benchmark


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
