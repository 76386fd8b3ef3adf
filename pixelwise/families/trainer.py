"""Train a family, resume an interrupted training, and write the model folder."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pixelwise.data.prepared import PreparedData
from pixelwise.documents import read_json
from pixelwise.errors import ParamsError
from pixelwise.families import find
from pixelwise.families.origin import origin
from pixelwise.families.trained import read_description
from pixelwise.files import write_bytes, write_json
from pixelwise.identity import PROJECT
from pixelwise.model_folder import HISTORY_FILE, MODEL_FILE, RUN_FILE, WEIGHTS_FILE
from pixelwise.stage_inputs import require_unchanged
from pixelwise.tracking.runs import start_run
from pixelwise.tracking.store import read_git_commit
from pixelwise.tracking.unrecorded_results import keep_result, restore_result
from pixelwise.tracking.unsent_runs import make_local_id
from pixelwise.training import checkpoints
from pixelwise.training.allocator import keep_freed_memory
from pixelwise.training.history import find_best_row
from pixelwise.training.loop import History, RecordMetrics

BEGUN_FILE = "begun.json"
# Number of characters of the fingerprint that name the state folder of a training.
MARK = 16


@dataclass(frozen=True)
class Trained:
    """A finished training: the folder of its weights, and its validation scores."""

    family: str
    out: Path
    history: History

    def __str__(self) -> str:
        best = find_best_row(self.history)
        return (
            f"{self.family}: mean IU {best['val/mean_iu']:.3f} at epoch {best['epoch']:.0f} of {len(self.history)}\n"
            f"weights in {self.out}; next: pixelwise export --section {self.family}.export "
            f"--model {self.out} --out {self.out.parent}"
        )


def from_start(params: Any, family: str, start: Path | None) -> Any:
    """Complete `params` with the trained model in the folder `start`, if one is given.

    Raises ParamsError if the family starts from no model, ModelError if `start` is not a model to start from.
    """
    if not start:
        return params
    kind: Any = find(family)
    if not hasattr(kind, "start_from"):
        raise ParamsError(f"--start {start}: family {family} starts from no model, see network.weights")
    return kind.start_from(params, read_description(start), start)


def ignore(values: Mapping[str, float], epoch: int) -> None:
    """Observe nothing."""


def learn(
    params: Any,
    family: str,
    data: Path,
    out: Path,
    state: Path,
    tracking: str | None,
    experiment: str,
    name: str,
    tags: Mapping[str, str],
    start: Path | None = None,
    observe: RecordMetrics = ignore,
) -> Trained:
    """Train `family` on the prepared `data` and write the model to the folder `out`.

    state: folder for resumable work. tracking: MLflow store, or none. experiment, name, tags: those of the MLflow run.
    start: folder of the trained model that `from_start` put into `params`; run.json then records its training too.
    observe: gets the metrics of each epoch; a TrainingStoppedError from it ends the training, which can be resumed.
    """
    prepared, kind, made_from = PreparedData(data), find(family), origin(params, family, data, start)
    mark = made_from["fingerprint"]
    if restore_result(out, state, mark):
        clear(state)
        return Trained(family, out, read_json(out / HISTORY_FILE, "a row of metrics an epoch", History))
    work = state / mark[:MARK]
    keep_freed_memory()
    torch.manual_seed(params.seed)
    net = kind.build(params.network, len(prepared.classes))
    marked, parameters = {**tags, "fingerprint": mark}, made_from["parts"]["parameters"]
    with start_run(experiment, name, parameters, marked, tracking, resume=begin_run(work)) as recorder:
        if recorder.run_id:
            write_json(work / BEGUN_FILE, recorder.run_id)

        def report(values: Mapping[str, float], epoch: int) -> None:
            recorder.log_metrics(values, epoch)
            observe(values, epoch)

        history = kind.fit(net, prepared, params, work, report)
        if is_main_process() and hasattr(kind, "illustrate"):
            for file, content in kind.illustrate(net, prepared, params, history).items():
                write_bytes(out / file, content)
                recorder.log_artifacts(out / file)
        temperature = None
        if is_main_process() and hasattr(kind, "fit_temperature"):
            temperature = kind.fit_temperature(net, prepared, params)
            recorder.log_metrics({"val/temperature": temperature}, len(history))
    trained = Trained(family, out, history)
    if not is_main_process():
        return trained
    # Before the state is removed, so that a training whose parameters were edited and set back goes on.
    require_unchanged()
    checkpoints.save_tensors(out / WEIGHTS_FILE, net.state_dict())
    write_json(out / MODEL_FILE, describe_model(family, prepared, made_from, temperature))
    write_json(out / HISTORY_FILE, history)
    record = {"run_id": recorder.run_id, "experiment": experiment, **made_from, **describe_circumstances()}
    write_json(out / RUN_FILE, record | ({"start": read_training(start)} if start else {}))
    keep_result(out, state)
    clear(state)
    return trained


def clear(state: Path) -> None:
    """Remove the state folders of all trainings in `state`, also of other parameters. Other files stay."""
    for work in state.glob("[0-9a-f]" * MARK):
        shutil.rmtree(work, ignore_errors=True)
    if state.is_dir() and not any(state.iterdir()):
        state.rmdir()


def describe_circumstances() -> dict[str, Any]:
    """The commit and machine of a training. Bit-identical results need the same thread count and CPU instructions."""
    machine = {"threads": torch.get_num_threads(), "instructions": torch.backends.cpu.get_cpu_capability()}
    return {"git_commit": read_git_commit(PROJECT), "machine": machine}


def read_training(model: Path) -> dict[str, Any]:
    """The family of the trained model in the folder `model`, and the content of its run.json."""
    return {"family": read_description(model)["family"], **json.loads((model / RUN_FILE).read_text())}


def describe_model(
    family: str, data: PreparedData, made_from: Mapping[str, Any], temperature: float | None
) -> dict[str, Any]:
    """The content of model.json: the net that the weights fit, and the temperature of its class probabilities."""
    return {
        "family": family,
        "network": made_from["parts"]["parameters"]["network"],
        "classes": data.classes.names,
        "palette": data.classes.palette,
        "temperature": temperature,
        "fingerprint": made_from["fingerprint"],
        "data": made_from["parts"]["data"],
    }


def is_main_process() -> bool:
    """Whether this is the training's only process, or the first of several."""
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def begin_run(work: Path) -> str:
    """The MLflow run id of an interrupted training, which the resumed training continues; else a new local id.

    It is kept before the store makes the run: a kill between the two leaves no second run that seems to run for ever.
    """
    if not (file := work / BEGUN_FILE).exists():
        write_json(file, make_local_id())
    run_id: str = json.loads(file.read_text())
    return run_id
