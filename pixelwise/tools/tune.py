"""Search for better training parameters: trials of a family, pruned by validation; the best becomes a recipe."""

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pixelwise import command
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ParamsError
from pixelwise.families import DEFAULT, find_params
from pixelwise.file_lock import hold_lock
from pixelwise.params import PARAMS_FILE, find_value, parse, read_section
from pixelwise.tools.params import format_value
from pixelwise.tools.tuned_recipe import write_recipe
from pixelwise.tracking.runs import start_run
from pixelwise.tuning.ranges import find_ranges, read_ranges
from pixelwise.tuning.search import ERROR, PARENT, VALUES, Search, find_best, open_study

if TYPE_CHECKING:
    from optuna import Study

STATE = Path(".state/tune")
# With fewer complete trials, chance decides which parameter seems important.
FEWEST_FOR_IMPORTANCE = 5


@dataclass(frozen=True)
class TuneReport:
    """What a search found so far. importances: by parameter, its share of the variance of the scores."""

    search: Search
    study: "Study"
    recipe: Path
    best: Any
    importances: Mapping[str, float]

    @property
    def failure(self) -> str | None:
        """Why there is no recipe; None if there is one."""
        if self.best:
            return None
        errors = [trial.user_attrs[ERROR] for trial in self.study.trials if ERROR in trial.user_attrs]
        return f"search {self.search.name}: no trial is complete{f': {errors[0]}' if errors else ''}"

    def __str__(self) -> str:
        """Format the counts, the best score, a line for each parameter, and the next command."""
        states = Counter(trial.state.name.lower() for trial in self.study.trials)
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        lines = [f"search {self.search.name}: {counts} of {self.search.trials} trials"]
        if self.best:
            lines += [self.format_scores(), "", *self.format_parameters(), "", f"recipe: {self.recipe}"]
            lines += [f"next: pixelwise use {self.recipe}, then pixelwise run {self.search.family}"]
        return "\n".join(lines)

    def format_scores(self) -> str:
        """Format the best score, beside that of the present values if a trial has it."""
        present = {key: find_value(self.search.values, key) for key in self.search.ranges}
        scores = [trial.value for trial in self.study.trials if trial.user_attrs.get(VALUES) == present]
        beside = f", {scores[0]:.4f} with the present values" if scores and scores[0] else ""
        return f"best mean IU on the validation split: {self.best.value:.4f} in trial {self.best.number}{beside}"

    def format_parameters(self) -> list[str]:
        """Format a table of the best values, the present ones and the importances."""
        rows = [("parameter", "best", "present", "importance")]
        for key in sorted(self.search.ranges, key=lambda key: -self.importances.get(key, 0)):
            present, importance = find_value(self.search.values, key), self.importances.get(key)
            shown = "-" if importance is None else f"{importance:.2f}"
            rows.append((key, format_value(self.best.user_attrs[VALUES][key]), format_value(present), shown))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def run(
    family: Annotated[str, "family to train"] = DEFAULT,
    data: Annotated[Path, "prepared data"] = Path("data/prepared"),
    trials: Annotated[int, "trials of the search, those of earlier calls and other processes included"] = 30,
    hours: Annotated[float | None, "end after so many hours; the same command goes on from there"] = None,
    name: Annotated[str | None, "name of the search (default: the family); a further process joins it"] = None,
    ranges: Annotated[Path | None, "ranges of the parameters (default: recipes/search/FAMILY.yaml)"] = None,
    out: Annotated[Path | None, "recipe to write (default: recipes/tuned-NAME.yaml)"] = None,
    start: Annotated[Path | None, "folder of a trained model, for a family that can start from one"] = None,
    params_file: Annotated[Path, "parameters that all trials share"] = PARAMS_FILE,
    tracking: Annotated[str | None, "MLflow store, or none; MLFLOW_TRACKING_URI, else sqlite:///mlflow.db"] = None,
) -> TuneReport:
    """Search for training parameters with the highest mean IU on the validation split; write the best as a recipe.

    The first trial has the present values, those in params.yaml. A trial that falls behind the median of the others is
    pruned. Each trial is an MLflow run, below one run of the search. A search that was stopped or killed resumes, its
    trainings too. Several processes with the same name share a search. No trial reads the test split.

    Raises ParamsError for a bad parameter or range, DataError if the data or the code changed since the first trial.
    """
    deadline = time.monotonic() + (hours * 3600 if hours is not None else float("inf"))
    search = describe_search(family, data, trials, name or family, ranges, start, params_file, tracking)
    # Imported here because torch is large and a bad option does not need it.
    from pixelwise.tuning.trials import compute_conditions, run_trials

    study = open_study(search, compute_conditions(search))
    recipe = out or Path(f"recipes/tuned-{search.name}.yaml")
    with ExitStack() as stack:
        # One process at a time, so that two that begin together share one run.
        with hold_lock(search.lock):
            described = {"family": family, "ranges": {key: str(options) for key, options in search.ranges.items()}}
            labels = f"tune-{search.name}", f"search {search.name}", described, {"search": search.name}
            parent = stack.enter_context(start_run(*labels, tracking, resume=study.user_attrs[PARENT]))
        run_trials(study, search, deadline, parent)
        best = find_best(study)
        report = TuneReport(search, study, recipe, best, compute_importances(study))
        if best:
            heading = (
                f"Trial {best.number} of `pixelwise tune --family {family}`: mean IU {best.value:.4f} on validation."
            )
            write_recipe(recipe, heading, params_file, family, best.user_attrs[VALUES])
            parent.log_artifacts(recipe)
    return report


def describe_search(
    family: str,
    data: Path,
    trials: int,
    name: str,
    ranges: Path | None,
    start: Path | None,
    params_file: Path,
    tracking: str | None,
) -> Search:
    """Describe the search that the options ask for. Raises ParamsError or DataError, before anything is written."""
    if not re.fullmatch(r"[\w.-]+", name):
        raise ParamsError(f"--name: found {name!r}, expected letters, digits and - _ .")
    if trials < 1:
        raise ParamsError(f"--trials: found {trials}, expected 1 or more")
    model, section = find_params(family).TrainParams, f"{family}.train"
    params: Any = parse(model, read_section(params_file, section), f"{params_file}: {section}")
    if "test" in f"{params.train_split}+{params.val_split}".split("+"):
        raise ParamsError(
            f"{params_file}: {section}: found the split test, expected train_split and val_split without it"
        )
    if getattr(params, "devices", 1) > 1:
        raise ParamsError(
            f"{params_file}: {section}.devices: found {params.devices}, expected 1; start a process for each device"
        )
    values = params.model_dump(mode="json")
    found = read_ranges(ranges or find_ranges(family), model, values)
    # Raises DataError where there are none.
    PreparedData(data)
    return Search(name, family, values, found, data, start, STATE / name, tracking, trials)


def compute_importances(study: "Study") -> dict[str, float]:
    """The importance of each parameter by fANOVA; none where too few trials are complete, or all scored alike."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    scores = [trial.value for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(scores) < FEWEST_FOR_IMPORTANCE or len(set(scores)) == 1:
        return {}
    return dict(get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0)))


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise tune` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
