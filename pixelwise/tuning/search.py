"""A search: what it varies, its Optuna study, and the trial that a process works on next.

A search resumes after a kill: the kernel frees the lock of a trial whose process died, and the next process takes that
trial over. Every trial has its own seed, so that a search that was killed draws the same values as one that was not.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pixelwise.errors import DataError
from pixelwise.file_lock import hold_lock
from pixelwise.params import find_value
from pixelwise.tracking.unsent_runs import make_local_id
from pixelwise.tuning.journal import open_journal
from pixelwise.tuning.ranges import Choices, Range, Ranges

if TYPE_CHECKING:
    from optuna import Study, Trial

# Trials drawn at random before the sampler learns from them, and trials that end before one can be pruned.
RANDOM_TRIALS, UNPRUNED_TRIALS = 10, 5
# Share of the epochs before which no trial is pruned.
UNPRUNED_SHARE = 0.25
# Attributes of a study: what its trials share, and the id of its MLflow run.
CONDITIONS, PARENT = "conditions", "parent"
# Attributes of a trial: what it drew, and why it failed.
VALUES, ERROR = "values", "error"


@dataclass(frozen=True)
class Search:
    """What a search varies and keeps.

    values: all training parameters as they are without the search. data: prepared data. start: the model that the
    family starts from. folder: for the journal and the resumable trainings. tracking: MLflow store, or none. trials:
    how many it has, those of all processes together.
    """

    name: str
    family: str
    values: Mapping[str, Any]
    ranges: Ranges
    data: Path
    start: Path | None
    folder: Path
    tracking: str | None
    trials: int

    @property
    def lock(self) -> Path:
        """The lock of whatever only one process may do."""
        return self.folder / "search.lock"


def open_study(search: Search, conditions: Mapping[str, str]) -> "Study":
    """Open the study of a search. A new study tries the values that the search starts from first, if it can draw them.

    conditions: what all trials share, by name. Raises DataError if those of earlier trials were others.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with hold_lock(search.lock):
        study = optuna.create_study(
            storage=open_journal(search.folder / "journal.log"),
            study_name=search.name,
            direction="maximize",
            pruner=make_pruner(search),
            load_if_exists=True,
        )
        if CONDITIONS not in study.user_attrs:
            enqueue_present_values(study, search)
            study.set_user_attr(PARENT, make_local_id())
            study.set_user_attr(CONDITIONS, dict(conditions))
    require_same(study, conditions)
    return study


def make_pruner(search: Search) -> Any:
    """The pruner: it stops a trial whose best score so far is below the median of the others at that epoch."""
    from optuna.pruners import MedianPruner

    return MedianPruner(UNPRUNED_TRIALS, int(search.values.get("epochs", 0) * UNPRUNED_SHARE))


def enqueue_present_values(study: "Study", search: Search) -> None:
    """Make the values that the search starts from its first trial, so that its best is no worse than they are."""
    present = {key: find_value(search.values, key) for key in search.ranges}
    if all(search.ranges[key].contains(value) for key, value in present.items()):
        study.enqueue_trial({key: encode(value, search.ranges[key]) for key, value in present.items()})


def require_same(study: "Study", conditions: Mapping[str, str]) -> None:
    """Raise DataError if the `conditions` are not those of the study's first trial."""
    changed = [name for name, value in study.user_attrs[CONDITIONS].items() if conditions[name] != value]
    if changed:
        raise DataError(
            f"search {study.study_name}: found other {', '.join(changed)} than at its first trial, which makes scores "
            "incomparable; give another --name"
        )


@contextmanager
def hold_trial(study: "Study", search: Search) -> Iterator["Trial | None"]:
    """Hold the next trial of a search, which no other process then takes; None if there is none."""
    with ExitStack() as held:
        with hold_lock(search.lock):
            trial = take_abandoned(study, search) or start_trial(study, search)
            if trial:
                held.enter_context(hold_lock(find_trial_lock(search, trial.number), waits=False))
        yield trial


def take_abandoned(study: "Study", search: Search) -> "Trial | None":
    """Take over a trial whose process ended before the trial did."""
    import optuna

    for running in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        with hold_lock(find_trial_lock(search, running.number), waits=False) as is_free:
            if is_free:
                study.sampler = make_sampler(search, running.number)
                return optuna.trial.Trial(study, running._trial_id)
    return None


def start_trial(study: "Study", search: Search) -> "Trial | None":
    """Start a new trial unless the search has all of its trials."""
    import optuna

    started = [trial for trial in study.trials if trial.state != optuna.trial.TrialState.WAITING]
    if len(started) >= search.trials:
        return None
    study.sampler = make_sampler(search, len(started))
    return study.ask()


def find_best(study: "Study") -> Any:
    """The complete trial with the highest score; None if no trial is complete."""
    import optuna

    is_complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return study.best_trial if is_complete else None


def find_trial_lock(search: Search, number: int) -> Path:
    """The lock that the process of a trial holds."""
    return search.folder / f"trial-{number}.lock"


def make_sampler(search: Search, number: int) -> Any:
    """The sampler of trial `number`. One sampler for all trials would draw other values in a resumed search."""
    from optuna.samplers import TPESampler

    seed = np.random.SeedSequence((int(search.values.get("seed", 0)), number)).generate_state(1)[0]
    return TPESampler(n_startup_trials=RANDOM_TRIALS, seed=int(seed))


def draw_values(trial: "Trial", search: Search) -> dict[str, Any]:
    """Draw the values of a trial by dotted key; those of a trial that was taken over are drawn already."""
    return {key: draw(trial, key, options, find_value(search.values, key)) for key, options in search.ranges.items()}


def draw(trial: "Trial", key: str, options: Range | Choices, present: Any) -> Any:
    """Draw one value: a choice, a whole number where the `present` value is one, else a number of three digits."""
    if isinstance(options, Choices):
        return json.loads(trial.suggest_categorical(key, [encode(value, options) for value in options]))
    if isinstance(present, int):
        return trial.suggest_int(key, ceil(options.low), floor(options.high), log=options.log)
    value = trial.suggest_float(key, options.low, options.high, log=options.log)
    # Sixteen digits are hard to read in a recipe, and the training uses what the recipe says.
    return value if value == present else min(max(float(f"{value:.3g}"), options.low), options.high)


def encode(value: Any, options: Range | Choices) -> Any:
    """A value as Optuna stores it: a choice as JSON, since Optuna's choices are plain values."""
    return json.dumps(value) if isinstance(options, Choices) else value
