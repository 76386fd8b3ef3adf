"""Profile stages: measure the time of each stage of a clockwork on this machine, and propose where to cut the net."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from pixelwise import command
from pixelwise.families.clockwork.measure.stage_times import Cut, StageTimes, measure_stages
from pixelwise.families.clockwork.runtime.clockwork_engine import open_staged
from pixelwise.inference.session import Provider
from pixelwise.params import Params
from pixelwise.registry.references import resolve_model_folder


class StagesParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="ONNX Runtime on cpu or cuda (auto: cuda if any), or openvino")
    width: PositiveInt = Field(480, description="width of the labelled picture in pixels")
    height: PositiveInt = Field(360, description="height of the labelled picture in pixels")
    rounds: PositiveInt = Field(30, description="runs of each stage; the least time counts")


@dataclass(frozen=True)
class Report:
    """The times of the stages. best: the most even cut for each number of parts, fewest parts first."""

    model: Path
    provider: str
    width: int
    height: int
    times: StageTimes
    best: Sequence[Cut]

    def __str__(self) -> str:
        parts = [(f"to stride {end}", spent) for end, spent in zip(self.times.ends, self.times.stages, strict=True)]
        parts += [("fuse", self.times.fuse), ("decode", self.times.decode)]
        lines = [f"  {name:<12} {spent:6.2f} ms  {spent / self.times.whole:4.0%}" for name, spent in parts]
        cuts = [
            f"  borders: {list(cut.borders)!s:<10} parts of {' + '.join(f'{spent:.1f}' for spent in cut.stages)} ms, "
            f"latency {self.times.compute_latency(cut):.1f} ms"
            for cut in self.best
        ]
        return (
            f"{self.width} × {self.height} on {self.provider}, {self.times.whole:.1f} ms per frame\n"
            + "\n".join(lines)
            + "\n\nmost even cuts; latency: from a frame to its labels in a pipeline with one core per part\n"
            + "\n".join(cuts)
            + "\nnext: set clockwork.train.network.borders in params.yaml; then dvc repro export@clockwork"
        )


def run(
    params: StagesParams, model: Annotated[Path, "folder of the exported clockwork, or models:/NAME@ALIAS"]
) -> Report:
    """Measure each stage of a clockwork in ONNX Runtime, and find the most even borders for each number of parts.

    Cuts are possible only where the exported stages end: export with every stride as a border to see all cuts. Raises
    ModelError if the model is not in stages.
    """
    staged = open_staged(resolve_model_folder(model), params.provider)
    # Noise, as the time does not depend on the content of the picture.
    picture = np.random.default_rng(0).integers(0, 256, (params.height, params.width, 3)).astype(np.uint8)
    times = measure_stages(staged, picture, params.rounds)
    best: dict[int, Cut] = {}
    for cut in times.list_cuts():
        best.setdefault(len(cut.stages), cut)
    return Report(model, staged.plain.provider, params.width, params.height, times, list(best.values()))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
