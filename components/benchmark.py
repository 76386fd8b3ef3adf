"""Compare the speed of a model's engines: one process runs all in turn on the same inputs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch

from pixelwise import command
from pixelwise.evaluation.engine_choice import compare_providers, find_fastest, save_engines
from pixelwise.evaluation.params import BenchmarkParams
from pixelwise.families import find_engines
from pixelwise.families.exported import find_family
from pixelwise.files import write_json, write_text
from pixelwise.inference.exported_models import require_one_training
from pixelwise.registry.references import resolve_model_folder
from pixelwise.reporting.speed import format_speed_table
from pixelwise.timing import Engine, measure_ratio, measure_spread, take_turns
from pixelwise.tracking import record_for_model


@dataclass(frozen=True)
class Benchmark:
    """The engines and the milliseconds of every run of each. left_out: engine -> why it was not measured."""

    params: BenchmarkParams
    engines: Mapping[str, Engine]
    times: Mapping[str, Sequence[float]]
    left_out: Mapping[str, str]

    def report(self) -> dict[str, Any]:
        """Content of benchmark.json: the latency of one picture, and each engine's times and paired ratio."""
        engines = {name: self.describe(name) for name in self.engines}
        providers = compare_providers(self.engines, self.times)
        served = find_fastest(providers, self.params.min_equal_pixels)
        return {
            "onnx_median_milliseconds": next(iter(engines.values()))["median_milliseconds"],
            "served_by": served,
            "served_median_milliseconds": providers[served].milliseconds,
            "picture": [self.params.height, self.params.width],
            **self.params.model_dump(include={"batch_size", "warmup", "repeats", "device"}),
            "threads": torch.get_num_threads(),
            "engines": engines,
            "left_out": dict(self.left_out),
        }

    def describe(self, name: str) -> dict[str, Any]:
        """One engine's milliseconds a run, pictures a second, and run-by-run ratio of its time a picture."""
        engine, spread = self.engines[name], measure_spread(self.times[name])
        return {
            "images": engine.images,
            "median_milliseconds": spread.median,
            "p90_milliseconds": spread.p90,
            "images_per_second": 1000 * engine.images / spread.median,
            "compared_with": engine.compared_with,
            "equal_pixels": engine.equal_pixels,
            "ratio": measure_ratio(self.list_times(name), self.list_times(engine.compared_with)).as_json(),
        }

    def list_times(self, name: str) -> list[float]:
        """Milliseconds a picture of every run of an engine."""
        return [time / self.engines[name].images for time in self.times[name]]

    def __str__(self) -> str:
        return format_speed_table(self.report())


def run(
    params: BenchmarkParams,
    model: Annotated[Path, "folder of the exported model with its checkpoint, or models:/NAME@ALIAS"],
    out: Annotated[Path, "folder for benchmark.json and benchmark.txt"],
    data: Annotated[Path | None, "prepared data, whose pictures all engines and whose clips a schedule label"] = None,
    engines: Annotated[Path | None, "engines.json in the model folder, by which predict and serve choose"] = None,
) -> Benchmark:
    """Time a model on its engines in turns: ONNX Runtime, OpenVINO if installed; a net of one graph also in torch.

    A model of several graphs is timed whole and in parts: a clockwork's stages and its default schedule on a clip, a
    guided model's encode, guide and segment, and a click. Each engine's share of pixels that it labels as ONNX Runtime
    does is measured on pictures of `data`, without it on a synthetic one.

    Raises ModelError where the model cannot be opened and ProviderError where the device is not available.
    """
    model = resolve_model_folder(model)
    require_one_training(model)
    opened, left_out = find_engines(find_family(model)).open_engines(params, model, data, torch.get_num_threads())
    calls = {name: engine.call for name, engine in opened.items()}
    times = take_turns(calls, params.repeats, params.warmup, words="benchmark")
    benchmark = Benchmark(params, opened, times, left_out)
    if engines is not None:
        save_engines(engines, model, compare_providers(opened, times), params.min_equal_pixels)
    write_json(out / "benchmark.json", benchmark.report())
    write_text(out / "benchmark.txt", f"{benchmark}\n")
    medians = {name: measure_spread(of_engine).median for name, of_engine in times.items()}
    record_for_model(model, {name_metric(engine): value for engine, value in medians.items()})
    return benchmark


def name_metric(engine: str) -> str:
    """The metric of an engine's median in MLflow, which takes no comma: `benchmark/onnx_batch_4_ms`."""
    words = re.sub(r"[^\w.]+", "_", engine)
    return f"benchmark/{words}_ms"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, None, argv)


if __name__ == "__main__":
    main()
