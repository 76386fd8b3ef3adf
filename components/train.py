"""Train a family on the prepared data; write the best weights, the net's description, the curves and the run's id."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pixelwise import command
from pixelwise.families import DEFAULT, find
from pixelwise.families.trainer import Trained, from_start, learn


def run(
    params: Any,
    family: Annotated[str, "family to train"],
    data: Annotated[Path, "prepared data"],
    out: Annotated[Path, "folder for weights.safetensors, model.json, run.json and history.json"],
    state: Annotated[Path, "folder for the resumable state; removed when the training is complete"],
    tracking: Annotated[
        str | None, "MLflow store, or `none` (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"
    ] = None,
    experiment: Annotated[
        str | None, "MLflow experiment (default: MLFLOW_EXPERIMENT_NAME, else the family's name)"
    ] = None,
    name: Annotated[str | None, "name of the MLflow run (default: MLFLOW_RUN_NAME, else train-FAMILY)"] = None,
    start: Annotated[Path | None, "folder of a trained model, for a family that can start from one"] = None,
) -> Trained:
    """Train one family on the prepared data; a killed training resumes from its last saved state.

    Raises DataError where a split is missing, ModelError where the net cannot be built or its start is no model,
    ParamsError on a bad parameter.
    """
    params = from_start(params, family, start)
    experiment = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or family
    run_name = name or os.environ.get("MLFLOW_RUN_NAME") or f"train-{family}"
    return learn(params, family, data, out, state, tracking, experiment, run_name, {}, start)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step from the command line. The family is read first, since it determines the parameters."""
    with command.report_errors():
        family = command.read_option("family", argv, default=DEFAULT)
        command.main(run, "{family}.train", argv, params=find(family).TrainParams)


if __name__ == "__main__":
    main()
