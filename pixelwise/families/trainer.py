"""Train a family, resume what was cut short, and write the model folder."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pixelwise.data.prepared import PreparedData
from pixelwise.errors import ParamsError
from pixelwise.families import find
from pixelwise.families.origin import origin
from pixelwise.families.trained import read_description
from pixelwise.files import write_bytes, write_json
from pixelwise.identity import PROJECT
from pixelwise.model_folder import HISTORY_FILE, MODEL_FILE, RUN_FILE, WEIGHTS_FILE
from pixelwise.tracking.runs import start_run
from pixelwise.tracking.store import read_git_commit
from pixelwise.training import checkpoints
from pixelwise.training.allocator import keep_freed_memory
from pixelwise.training.history import find_best_row
from pixelwise.training.loop import History

BEGUN_FILE = "begun.json"
# Characters of the fingerprint that name the folder of a training's state.
MARK = 16


@dataclass(frozen=True)
class Trained:
    """Where the weights are and how well they did."""

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
    """`params` with the net that the trained model in `start` has, for a family that needs one.

    Raises ParamsError where it is given and not needed or the other way round, ModelError where it is no such model.
    """
    kind: Any = find(family)
    if not hasattr(kind, "started"):
        if start:
            raise ParamsError(f"--start {start}: family {family} starts from no model, see network.weights")
        return params
    if not start:
        raise ParamsError(f"train {family}: found no --start, expected the folder of a trained model")
    return kind.started(params, read_description(start), start)


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
) -> Trained:
    """`run` under a name, with `tags` of the caller's on the MLflow run."""
    prepared, kind, made_from = PreparedData(data), find(family), origin(params, family, data)
    mark = made_from["fingerprint"]
    work = state / mark[:MARK]
    keep_freed_memory()
    torch.manual_seed(params.seed)
    net = kind.build(params.network, len(prepared.classes))
    marked, parameters = {**tags, "fingerprint": mark}, made_from["parts"]["parameters"]
    with start_run(experiment, name, parameters, marked, tracking, resume=begun(work)) as recorder:
        if recorder.run_id:
            write_json(work / BEGUN_FILE, recorder.run_id)
        history = kind.fit(net, prepared, params, work, recorder.log_metrics)
        if is_main_process() and hasattr(kind, "illustrate"):
            for file, content in kind.illustrate(net, prepared, params, history).items():
                write_bytes(out / file, content)
                recorder.log_artifacts(out / file)
    trained = Trained(family, out, history)
    if not is_main_process():
        return trained
    checkpoints.save_tensors(out / WEIGHTS_FILE, net.state_dict())
    write_json(out / MODEL_FILE, described(family, prepared, made_from))
    write_json(out / HISTORY_FILE, history)
    write_json(out / RUN_FILE, {"run_id": recorder.run_id, "experiment": experiment, **made_from, **circumstances()})
    clear(state)
    return trained


def clear(state: Path) -> None:
    """Remove what trainings left in `state`, be they of other parameters; whatever else lies there stays."""
    for work in state.glob("[0-9a-f]" * MARK):
        shutil.rmtree(work, ignore_errors=True)
    if state.is_dir() and not any(state.iterdir()):
        state.rmdir()


def circumstances() -> dict[str, Any]:
    """What a training took place under: to repeat it to the bit, as many threads and like instructions are needed."""
    machine = {"threads": torch.get_num_threads(), "instructions": torch.backends.cpu.get_cpu_capability()}
    return {"git_commit": read_git_commit(PROJECT), "machine": machine}


def described(family: str, data: PreparedData, made_from: Mapping[str, Any]) -> dict[str, Any]:
    """What net the weights fit, for model.json."""
    return {
        "family": family,
        "network": made_from["parts"]["parameters"]["network"],
        "classes": data.classes.names,
        "palette": data.classes.palette,
        "fingerprint": made_from["fingerprint"],
        "data": made_from["parts"]["data"],
    }


def is_main_process() -> bool:
    """Whether this is the training's only process, or the first of several."""
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0


def begun(work: Path) -> str | None:
    """The MLflow run of a training that was cut short, so that the resumed one goes on with it."""
    run_id: str | None = json.loads((work / BEGUN_FILE).read_text()) if (work / BEGUN_FILE).exists() else None
    return run_id
