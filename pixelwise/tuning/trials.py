"""Train the trials of a search one after the other, and end those whose validation scores fall behind."""

import math
import shutil
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from pixelwise.errors import ModelError, ParamsError, TrainingStoppedError
from pixelwise.families import find
from pixelwise.families.origin import origin
from pixelwise.families.trainer import from_start, learn
from pixelwise.identity import sha256_json
from pixelwise.params import merge, parse
from pixelwise.tracking.runs import Recorder
from pixelwise.training.history import find_best_row
from pixelwise.training.loop import RecordMetrics
from pixelwise.tuning.ranges import nest
from pixelwise.tuning.search import ERROR, VALUES, Search, draw_values, find_best, hold_trial, require_same

if TYPE_CHECKING:
    from optuna import Study, Trial

SCORE = "val/mean_iu"
# MLflow's tag of a run that belongs to another.
PARENT_TAG = "mlflow.parentRunId"


class PrunedError(TrainingStoppedError):
    """A trial fell behind the others."""


class OutOfTimeError(TrainingStoppedError):
    """The time of this process is over. The trial goes on in the next one."""


def make_params(search: Search, drawn: Mapping[str, Any]) -> Any:
    """The training parameters with the `drawn` values. Raises ParamsError if they do not fit together."""
    values = merge(search.values, nest(drawn))
    params = parse(find(search.family).TrainParams, values, f"search {search.name}")
    return from_start(params, search.family, search.start)


def compute_conditions(search: Search) -> dict[str, str]:
    """A hash of each thing that all trials of a search share: parameters, ranges, data, code, environment."""
    parts = origin(make_params(search, {}), search.family, search.data, search.start)["parts"]
    parts |= {"ranges": {key: str(options) for key, options in search.ranges.items()}}
    return {name: sha256_json(part) for name, part in parts.items()}


def run_trials(study: "Study", search: Search, deadline: float, parent: Recorder) -> None:
    """Run trials until the search has all of them, or until `deadline`, in seconds of the monotonic clock.

    parent: the MLflow run of the search. Raises DataError if the prepared data change meanwhile.
    """
    while time.monotonic() < deadline:
        require_same(study, compute_conditions(search))
        with hold_trial(study, search) as trial:
            if trial is None:
                return
            try:
                run_trial(trial, study, search, deadline, parent)
            except OutOfTimeError:
                return


def run_trial(trial: "Trial", study: "Study", search: Search, deadline: float, parent: Recorder) -> None:
    """Train a trial and tell the study its score: complete, pruned, or failed where its values do not train."""
    from optuna.trial import TrialState

    drawn = draw_values(trial, search)
    trial.set_user_attr(VALUES, drawn)
    print(f"trial {trial.number}: {', '.join(f'{key} {value}' for key, value in drawn.items())}", flush=True)
    try:
        score = train_trial(trial, drawn, search, deadline, parent)
        state = TrialState.FAIL if math.isnan(score) else TrialState.COMPLETE
        study.tell(trial, score if state is TrialState.COMPLETE else None, state)
    except PrunedError:
        study.tell(trial, state=TrialState.PRUNED)
    except (ParamsError, ModelError, torch.OutOfMemoryError) as error:
        trial.set_user_attr(ERROR, str(error).partition("\n")[0])
        study.tell(trial, state=TrialState.FAIL)
    shutil.rmtree(search.folder / f"trial-{trial.number}", ignore_errors=True)
    print(describe_trial(study, trial.number), flush=True)
    if best := find_best(study):
        parent.log_metrics({SCORE: best.value}, sum(each.state.is_finished() for each in study.trials))


def train_trial(trial: "Trial", drawn: Mapping[str, Any], search: Search, deadline: float, parent: Recorder) -> float:
    """Train the net of a trial, as a child of the run `parent`; returns its best validation score."""
    folder = search.folder / f"trial-{trial.number}"
    tags = {"search": search.name, "trial": str(trial.number)} | ({PARENT_TAG: parent.run_id} if parent.run_id else {})
    trained = learn(
        make_params(search, drawn),
        search.family,
        search.data,
        out=folder / "model",
        state=folder / "state",
        tracking=search.tracking,
        experiment=f"tune-{search.name}",
        name=f"trial {trial.number}",
        tags=tags,
        start=search.start,
        observe=make_observer(trial, deadline),
    )
    return find_best_row(trained.history)[SCORE]


def make_observer(trial: "Trial", deadline: float) -> RecordMetrics:
    """Make what observes the epochs of a trial. It raises PrunedError and, after the `deadline`, OutOfTimeError."""
    # A resumed training repeats its epochs, and Optuna warns of a second report.
    reported = set(trial.study.trials[trial.number].intermediate_values)

    def observe(values: Mapping[str, float], epoch: int) -> None:
        if SCORE in values:
            if epoch not in reported:
                trial.report(values[SCORE], epoch)
            if trial.should_prune():
                raise PrunedError
        if time.monotonic() > deadline:
            raise OutOfTimeError

    return observe


def describe_trial(study: "Study", number: int) -> str:
    """One line about a finished trial, and the best so far."""
    trial = study.trials[number]
    reason = trial.user_attrs.get(ERROR, "no score")
    score = f": {reason}" if trial.value is None else f", mean IU {trial.value:.4f}"
    best = find_best(study)
    beside = f"; best {best.value:.4f}, trial {best.number}" if best else ""
    return f"trial {number} {trial.state.name.lower()}{score}{beside}"
