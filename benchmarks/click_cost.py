"""Time of a click: guidance and mask with late fusion, against a full pass with early fusion (thesis §4.4.1).

`python -m benchmarks.click_cost --model models/guided`
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, PositiveInt

from pixelwise import command
from pixelwise.families.guided.early_fusion import EarlyFusion, Together
from pixelwise.families.guided.episodes import annotate_points
from pixelwise.families.guided.family import build
from pixelwise.families.guided.params import NetworkParams
from pixelwise.families.guided.runtime.session import GuidedModel, GuidedSession
from pixelwise.files import write_json
from pixelwise.inference.session import open_session
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.timing import describe_machine, measure_ratio, measure_spread

OPSET = 20
# Limits of a click: share of a full pass, and milliseconds from click to mask.
BARS = {"update": 1 / 20, "click to mask": 1 / 3}
MASK_MILLISECONDS = 10


class CostParams(Params):
    """No section; options only."""

    width: PositiveInt = Field(480, description="width of the picture")
    height: PositiveInt = Field(360, description="height of the picture")
    threads: PositiveInt = Field(2, description="threads of ONNX Runtime")
    clicks: PositiveInt = Field(10, description="clicks before the measured one, half of them negative")
    warmup: PositiveInt = Field(10, description="turns before the measured ones")
    repeats: PositiveInt = Field(60, description="measured turns")


@dataclass(frozen=True)
class ClickCost:
    """Milliseconds of every turn for the update of the guidance, click to mask, and the full pass."""

    params: CostParams
    milliseconds: Mapping[str, Sequence[float]]

    def report(self) -> dict[str, Any]:
        """Return medians and spreads, and the ratios to the full pass of the same turn."""
        whole = self.milliseconds["full pass"]
        return {
            "machine": describe_machine(),
            **self.params.model_dump(),
            **{
                name: {
                    "milliseconds": measure_spread(times).as_json(),
                    "of_full_pass": measure_ratio(times, whole).as_json(),
                }
                for name, times in self.milliseconds.items()
            },
        }

    def __str__(self) -> str:
        told, whole = self.params, self.milliseconds["full pass"]
        turns = f"{told.repeats} turns after {told.warmup} to warm up; median (p10–p90)"
        lines = [
            describe_machine(),
            f"{told.width}×{told.height}, {told.threads} threads, {told.clicks} clicks there; {turns}",
        ]
        for name, times in self.milliseconds.items():
            bar = f", asked: {BARS[name]:.3f}" if name in BARS else ""
            limit = f" and {MASK_MILLISECONDS} ms" if name == "click to mask" else ""
            lines.append(
                f"{name:<14}{measure_spread(times):.2f} ms, "
                f"{measure_ratio(times, whole):.3f} of a full pass{bar}{limit}"
            )
        return "\n".join(lines)


def run(
    params: CostParams,
    model: Annotated[Path, "folder of the exported guided model"] = Path("models/guided"),
    *,
    json: Annotated[Path | None, "file to write the figures to as JSON"] = None,
) -> ClickCost:
    """Time clicks and full passes in turn, in one process with ONNX Runtime on the CPU.

    The early-fusion net has the default backbone, a scorer as wide as the model's, and random weights, which do not
    change its time.
    """
    picture = np.random.default_rng(0).integers(0, 256, (params.height, params.width, 3), dtype=np.uint8)
    guided = GuidedModel(model, "cpu", params.threads)
    session = GuidedSession(guided)
    session.add_picture(picture)
    places = np.random.default_rng(1).permutation(params.height * params.width)[: params.clicks + 1]
    *first, last = [(int(place % params.width), int(place // params.width)) for place in places]
    for number, (x, y) in enumerate(first):
        session.click(0, x, y, number % 2)
    annotation = annotate_points((first[::2], first[1::2]), params.height, params.width)[None]
    hidden = guided.graphs["encode"].get_outputs()[1].shape[1] // 2
    with TemporaryDirectory() as folder:
        early = build_early_pass(picture, annotation, hidden, Path(folder) / "fused.onnx", params.threads)
        found: dict[str, list[float]] = {"update": [], "click to mask": [], "full pass": []}
        for turn in progress(range(params.warmup + params.repeats), "clicks"):
            click = time_call(lambda: session.click(0, *last))
            merge = time_call(session.guidance)
            # `segment` merges the shots itself, so click to mask does not include `merge`.
            times = (click + merge, click + time_call(lambda: session.segment(0)), time_call(early))
            session.undo()
            for name, time in zip(found, times, strict=True):
                found[name] += [time] if turn >= params.warmup else []
    cost = ClickCost(params, found)
    if json:
        write_json(json, cost.report())
    return cost


def build_early_pass(
    picture: np.ndarray, annotation: np.ndarray, hidden: int, file: Path, threads: int
) -> Callable[[], object]:
    """Export an early-fusion net for this picture's size; return a call of its full pass."""
    net = build(NetworkParams(guide="early", weights="none", frozen_stride=0, hidden=hidden), 2).eval()
    assert isinstance(net, EarlyFusion)
    inputs = (torch.from_numpy(picture[None]), torch.from_numpy(annotation))
    with warnings.catch_warnings(action="ignore"):
        torch.onnx.export(
            Together(net),
            inputs,
            file,
            dynamo=True,
            opset_version=OPSET,
            input_names=["image", "annotation"],
            external_data=False,
            verbose=False,
        )
    session = open_session(file, "cpu", threads)
    return lambda: session.run(None, {"image": picture[None], "annotation": annotation})


def time_call(work: Callable[[], object]) -> float:
    """Milliseconds that `work` takes."""
    started = perf_counter()
    work()
    return 1000 * (perf_counter() - started)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
