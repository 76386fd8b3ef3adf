"""Calibrate: choose a schedule's value for a wanted speed or loss, on videos without labels."""

import shutil
import tempfile
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
from pixelwise.families.clockwork.measure.calibration import Aim, Goal, Trial, calibrate, describe_trial
from pixelwise.families.clockwork.runtime.clockwork_engine import Staged, open_staged
from pixelwise.families.clockwork.runtime.schedule_values import add_value
from pixelwise.files import write_json
from pixelwise.inference.session import Provider
from pixelwise.model_folder import ModelFolder
from pixelwise.params import Params
from pixelwise.registry.references import is_reference, resolve_model_folder


class CalibrateParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="ONNX Runtime on cpu or cuda (auto: cuda if any), or openvino")
    frames: PositiveInt = Field(300, description="frames used of each clip, from its start")
    speed: PositiveFloat | None = Field(None, description="wanted speed relative to the plain net, such as 3")
    rate: PositiveFloat | None = Field(None, description="wanted frames per second on this machine, without decoding")
    loss: float | None = Field(None, description="largest loss of mean IU in points, such as 1.0")


@dataclass(frozen=True)
class Calibrated:
    """The chosen schedule, and all trials."""

    model: Path
    clips: Sequence[Path]
    goal: Goal
    chosen: Trial
    trials: Sequence[Trial]
    written: Path | None

    def __str__(self) -> str:
        lines = [
            f"  {'*' if trial == self.chosen else ' '} {trial.schedule:<14} {trial.speed_up:5.2f}×  "
            f"{trial.frames_per_second:6.1f}  {100 * trial.loss:+5.1f}  {min(trial.stage_share):4.0%}"
            for trial in self.trials
        ]
        name = self.chosen.schedule.partition(":")[0]
        option = name if self.written else self.chosen.schedule
        return (
            f"    {'schedule':<14}  speed     fps   loss  full frames\n" + "\n".join(lines) + "\n\n"
            f"{self.goal}: {self.chosen.schedule}, {describe_trial(self.chosen)} (loss estimated without labels)\n"
            + (f"wrote {self.written}: --schedule {name} now means {self.chosen.schedule}\n" if self.written else "")
            + f"next: pixelwise predict --model {self.model} --schedule {option} {self.clips[0]} --output predictions"
        )


def run(
    params: CalibrateParams,
    clips: Annotated[list[Path], "videos like those to be labelled"],
    model: Annotated[Path, "folder of the exported clockwork, or models:/NAME@ALIAS"],
    schedule: Annotated[str, "NAME of the schedule whose value is chosen: motion, carry, adaptive, …"] = "motion",
    keep: Annotated[bool, "write the value into the model's folder, from where --schedule NAME reads it"] = False,
    out: Annotated[Path | None, "new folder for a copy of the model with the value; the model stays as it is"] = None,
) -> Calibrated:
    """Try many values of a schedule on clips; choose one that is fast enough (--speed, --rate) or within --loss.

    A registered model is never changed: --out keeps the value in a copy, which `pixelwise evaluate` scores and
    `pixelwise register` makes another version.

    Raises ModelError if the model is not in stages, DataError if a clip is not a video, ParamsError if not exactly one
    goal is given, the schedule has no value to choose, no value meets the goal, or the value cannot be kept there.
    """
    goal = parse_goal(params)
    require_target(model, keep, out)
    folder = resolve_model_folder(model)
    staged = open_staged(folder, params.provider)
    chosen, trials = calibrate(staged, schedule, [partial(read_pictures, clip, params.frames) for clip in clips], goal)
    written = None
    if out:
        written = write_copy(folder, out, staged, chosen.schedule)
    elif keep:
        written = write_value(folder, staged, chosen.schedule)
    return Calibrated(out or model, clips, goal, chosen, trials, written)


def require_target(model: Path, keep: bool, out: Path | None) -> None:
    """Raise ParamsError before the trials, which take minutes, where the value could not be written afterwards."""
    if keep and out is None and is_reference(model):
        raise ParamsError(f"--keep: found {model}, which is registered and stays as it is; expected --out FOLDER")
    if out is not None and out.exists():
        raise ParamsError(f"--out {out}: exists, expected a new folder for a copy of {model}")


def write_copy(model: Path, out: Path, staged: Staged, schedule: str) -> Path:
    """Write a copy of the model to the folder `out`, with the value of the schedule; return the file of the value.

    The files that MLflow keeps with a registered model are left out.
    """
    source = ModelFolder(model)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".calibrate-") as work:
        copy = Path(work) / "model"
        shutil.copytree(source.onnx, copy / source.onnx.name, ignore=shutil.ignore_patterns("MLmodel"))
        # A model that is only served may lack the others.
        for part in (source.checkpoint, source.int8):
            if part.is_dir():
                shutil.copytree(part, copy / part.name)
        if source.export.is_file():
            shutil.copyfile(source.export, copy / source.export.name)
        file = write_value(copy, staged, schedule)
        copy.rename(out)
    return out / file.name


def parse_goal(params: CalibrateParams) -> Goal:
    """Return the goal. Raises ParamsError if not exactly one is given."""
    loss = None if params.loss is None else params.loss / 100
    options: list[tuple[Aim, float | None]] = [("speed", params.speed), ("rate", params.rate), ("loss", loss)]
    goals = [Goal(aim, amount) for aim, amount in options if amount is not None]
    if len(goals) != 1:
        raise ParamsError(f"calibrate: found {len(goals)} of --speed, --rate and --loss, expected one")
    return goals[0]


def read_pictures(clip: Path, frames: int) -> Iterator[np.ndarray | None]:
    """Yield the first frames of a video, with None before a frame that does not follow the previous one.

    Raises DataError if the file is not a video or breaks off.
    """
    # Imported here because PyAV is large and --help does not need it.
    from pixelwise.reporting.video import open_video

    for frame in islice(open_video(clip).frames, frames):
        if not frame.follows:
            yield None
        yield frame.image


def write_value(model: Path, staged: Staged, schedule: str) -> Path:
    """Write the value of the schedule NAME:VALUE into the model's folder and return the file."""
    name, _, value = schedule.partition(":")
    file = ModelFolder(model).schedules
    write_json(file, add_value(staged.values, staged.plain.metadata.get("fingerprint"), name, value))
    return file


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
