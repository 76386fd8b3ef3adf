"""Calibrate: pick the value of a clockwork's schedule for a wanted speed or loss, on video without labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from pixelwise import command
from pixelwise.errors import ParamsError
from pixelwise.families.clockwork.measure.calibration import Aim, Trial, Wanted, calibrate, described
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.families.clockwork.runtime.schedule_values import values_with
from pixelwise.files import write_json
from pixelwise.inference.session import Provider
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params


class CalibrateParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    frames: PositiveInt = Field(300, description="frames of each clip that are looked at, from its start")
    speed: PositiveFloat | None = Field(None, description="wanted: times the plain net's frames a second, 3")
    rate: PositiveFloat | None = Field(None, description="wanted: frames a second on this machine, decoding left out")
    loss: float | None = Field(None, description="bearable: points of mean IU to lose, 1.0")


@dataclass(frozen=True)
class Calibrated:
    """The schedule that was picked, and all that were tried."""

    model: Path
    clips: Sequence[Path]
    wanted: Wanted
    found: Trial
    trials: Sequence[Trial]
    kept: Path | None

    def __str__(self) -> str:
        lines = [
            f"  {'*' if trial == self.found else ' '} {trial.schedule:<14} {trial.speed_up:5.2f}×  "
            f"{trial.frames_per_second:6.1f}  {100 * trial.loss:+5.1f}  {min(trial.stage_share):4.0%}"
            for trial in self.trials
        ]
        name = self.found.schedule.partition(":")[0]
        words = name if self.kept else self.found.schedule
        return (
            f"    {'schedule':<14}  speed     fps   loss  full frames\n" + "\n".join(lines) + "\n\n"
            f"{self.wanted}: {self.found.schedule}, {described(self.found)}; the loss is expected, no label was read\n"
            + (f"kept in {self.kept}: --schedule {name} means {self.found.schedule} now\n" if self.kept else "")
            + f"next: pixelwise predict --model {self.model} --schedule {words} {self.clips[0]} --output predictions"
        )


def run(
    params: CalibrateParams,
    clips: Annotated[list[Path], "videos like those to be labelled"],
    model: Annotated[Path, "folder of the exported clockwork"],
    schedule: Annotated[str, "NAME of the schedule whose value is picked: motion, carry, adaptive, …"] = "motion",
    keep: Annotated[bool, "write the value into the model's folder, where --schedule NAME then takes it"] = False,
) -> Calibrated:
    """Try a schedule with many values on clips, and pick the one that is fast enough (--speed, --rate) or loses no more
    than it may (--loss).

    Raises ModelError where the model is not in stages, DataError where a clip is no video, ParamsError where not one
    thing is wanted, the schedule has no value to pick, or what is wanted cannot be had.
    """
    wanted = wanted_of(params)
    staged = open_staged(model, params.provider)
    found, trials = calibrate(staged, schedule, [partial(pictures, clip, params.frames) for clip in clips], wanted)
    kept = keep_value(model, staged, found.schedule) if keep else None
    return Calibrated(model, clips, wanted, found, trials, kept)


def wanted_of(params: CalibrateParams) -> Wanted:
    """What is wanted. Raises ParamsError where it is not one thing."""
    loss = None if params.loss is None else params.loss / 100
    given: list[tuple[Aim, float | None]] = [("speed", params.speed), ("rate", params.rate), ("loss", loss)]
    asked = [Wanted(aim, amount) for aim, amount in given if amount is not None]
    if len(asked) != 1:
        raise ParamsError(f"calibrate: found {len(asked)} of --speed, --rate and --loss, expected one")
    return asked[0]


def pictures(clip: Path, frames: int) -> Iterator[np.ndarray | None]:
    """The first frames of a video one by one, None before one that does not follow the one before.

    Raises DataError where it is no video or breaks off.
    """
    # PyAV is large, and --help does without it.
    from pixelwise.reporting.video import open_video

    for frame in islice(open_video(clip).frames, frames):
        if not frame.follows:
            yield None
        yield frame.image


def keep_value(model: Path, staged: Staged, schedule: str) -> Path:
    """Write the value of NAME:VALUE beside the graphs; the file."""
    name, _, value = schedule.partition(":")
    file = ModelFolder(model).schedules
    write_json(file, values_with(staged.values, staged.plain.metadata.get("fingerprint"), name, value))
    return file


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
