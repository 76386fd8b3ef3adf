"""Time of a click: late guidance against a full pass of early fusion (thesis §4.4.1), and a click in a session.

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
from pixelwise.families.guided.runtime.annotations import spread_points
from pixelwise.families.guided.runtime.clicked_picture import Click
from pixelwise.families.guided.runtime.clicks import make_hint
from pixelwise.families.guided.runtime.guidance import Guidance, merge
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.families.guided.runtime.working_size import label
from pixelwise.files import write_json
from pixelwise.inference.session import open_session, run_graph
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.timing import describe_machine, measure_ratio, measure_spread

OPSET = 20
# Limits of late guidance as shares of a full pass, and of a click in milliseconds.
BARS = {"update": 1 / 20, "update to mask": 1 / 3}
MILLISECONDS = {"update to mask": 10, "click in a session": 25}


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
    """Milliseconds of every turn: guidance updated, the same with its mask, a click in a session, and the full pass."""

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
            limit = f", asked: {MILLISECONDS[name]} ms" if name in MILLISECONDS else ""
            lines.append(
                f"{name:<20}{measure_spread(times):.2f} ms, "
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

    A click in a session runs the click net on the picture and makes its mask guidance for others.

    The early-fusion net has the default backbone, a scorer as wide as the model's, and random weights, which do not
    change its time.
    """
    picture = np.random.default_rng(0).integers(0, 256, (params.height, params.width, 3), dtype=np.uint8)
    guided = GuidedModel(model, "cpu", params.threads)
    session = GuidedSession(guided)
    session.add_picture(picture)
    features = session.support(0).features
    places = np.random.default_rng(1).permutation(params.height * params.width)[: params.clicks + 1]
    # The measured click, the last, is on the object: one beside an object that is not there runs no net.
    clicks = [
        Click(int(place % params.width), int(place // params.width), (params.clicks + 1 - number) % 2)
        for number, place in enumerate(places)
    ]
    for click in clicks[:-1]:
        session.click(0, *click)
    points = [[(x, y) for x, y, of in clicks if of == way] for way in (0, 1)]
    annotation = annotate_points(points, params.height, params.width)[None]

    def update() -> Guidance:
        return merge([guided.pool(features, spread_points(clicks, 2, features.grid))])

    def update_and_segment() -> np.ndarray:
        return label(guided.segment(features, update(), make_hint(points, features.grid)))

    def click_and_segment() -> np.ndarray:
        session.click(0, *clicks[-1])
        return session.segment(0)

    hidden = guided.graphs["encode"].get_outputs()[1].shape[1] // 2
    with TemporaryDirectory() as folder:
        early = build_early_pass(picture, annotation, hidden, Path(folder) / "fused.onnx", params.threads)
        timed: dict[str, Callable[[], object]] = {
            "update": update,
            "update to mask": update_and_segment,
            "click in a session": click_and_segment,
            "full pass": early,
        }
        found: dict[str, list[float]] = {name: [] for name in timed}
        for turn in progress(range(params.warmup + params.repeats), "clicks"):
            times = {name: time_call(work) for name, work in timed.items()}
            session.undo()
            for name, time in times.items():
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
    return lambda: run_graph(session, None, {"image": picture[None], "annotation": annotation})


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
