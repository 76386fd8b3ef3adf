"""Everything is killed at once, as a power cut does it, in every phase of a scheduled run; then it starts again."""

import json
import random
import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from support.bright_model import write, write_evaluation, write_onnx
from support.killed_training import survivors
from support.power import Power, until
from support.small_project import TRAIN_STAGE, commit, make_project, pixelwise

from pixelwise.identity import sha256_file
from pixelwise.inference.exported_models import identify
from pixelwise.registry.ledger import LEDGER, read_ledger, read_shared_entries
from pixelwise.registry.versions import read_aliases
from pixelwise.tracking.store import connect

pytestmark = pytest.mark.slow
# The cuts in each phase, of seeds that count on from one phase to the next.
CUTS = {"deploy": 2, "start": 3, "train": 7, "evaluate": 2, "register": 4, "promote": 2}
SEEDS = list(enumerate(phase for phase, count in CUTS.items() for _ in range(count)))
EPOCHS = 40
# Phases that are reached at once where all stages are up to date.
AFTER_THE_STAGES = ("deploy", "start", "register", "promote")
# The training is real. What would come after it takes most of a run and is not what a cut may harm: it is made once.
STAGES = (
    f"stages:\n{TRAIN_STAGE}"
    """\
  export:
    foreach: [fcn]
    do:
      cmd: cp -r made/onnx made/export.json models/fcn
      deps: [made, models/fcn/checkpoint]
      outs: [models/fcn/onnx, models/fcn/export.json]
  evaluate:
    foreach: [fcn]
    do:
      cmd: mkdir -p reports/fcn && cp -r made/evaluate reports/fcn
      deps: [made, models/fcn/onnx]
      outs: [reports/fcn/evaluate]
"""
)
# The end of a stage, and the words of the worker's log with which a phase begins.
DONE = re.compile(r"^\[\d/3\] \S+ … (?:ran|unchanged)", re.MULTILINE)
BEGINS = {
    "train": lambda log: "train@fcn …\n" in log,
    "evaluate": lambda log: "train@fcn … ran" in log,
    "register": lambda log: len(DONE.findall(log)) == 3,
    "promote": lambda log: "register-fcn … " in log,
    "end": lambda log: "pipeline: " in log,
}
# What the ledger says of a change, but for its time and scores.
LEDGER_KEYS = ("act", "version", "previous", "fingerprint", "onnx_sha256")
# Prefect kept nothing of the time in which there was no power.
MINUTES_OFF = 10


@dataclass(frozen=True)
class World:
    """Two checkouts to copy, of which one has not trained yet; what an undisturbed run makes; seconds by phase.

    Each copy works in the folder `place`, for which the deployment in Prefect's database was made.
    """

    place: Path
    fresh: Path
    trained: Path
    result: dict
    seconds: dict[str, float]

    def plug_in(self, template):
        """A copy of a checkout, in which nothing runs yet."""
        shutil.rmtree(self.place)
        return Power(copy(template, self.place))


@pytest.fixture(scope="module")
def world(tmp_path_factory, mlflow_template, tiny_town):
    place = tmp_path_factory.mktemp("power") / "checkout"
    fresh, trained = place.with_name("fresh"), place.with_name("trained")
    make_project(place, {"fcn": {"train": {"epochs": EPOCHS}}})
    (place / "dvc.yaml").write_text(STAGES)
    shutil.copytree(tiny_town, place / "data/prepared")
    shutil.copy(mlflow_template, place)
    make_what_follows(place)
    commit(place)
    power = Power(place)
    power.start_server()
    begun = time.monotonic()
    assert power.start_deploying().wait() == 0, power.read_log("deploy")
    seconds = {"deploy": time.monotonic() - begun}
    power.cut()
    copy(place, fresh)
    with power.on():
        seconds |= measure_phases(power, promote=False)
        copy(place, trained)
        shutil.rmtree(trained / ".prefect")
        copy(fresh / ".prefect", trained)
        seconds |= measure_phases(power)
    print(f"\nseconds of an undisturbed run: { {phase: round(each, 1) for phase, each in seconds.items()} }")
    return World(place, fresh, trained, read_result(place), seconds)


def make_what_follows(place):
    """A graph and an evaluation of the model that the training will give."""
    train = "train --family fcn --data data/prepared --out models/fcn/checkpoint --state .state/train-fcn"
    status, told = pixelwise(place, *train.split(), "--tracking", "none")
    assert status == 0, told
    fingerprint = json.loads((place / "models/fcn/checkpoint/run.json").read_text())["fingerprint"]
    shutil.rmtree(place / "models/fcn")
    made = place / "made"
    write_onnx(made / "onnx/model.onnx", 100, fingerprint=fingerprint)
    write(made / "export.json", {"parity": 0.9999, "fingerprint": fingerprint})
    data = sha256_file(place / "data/prepared/manifest.parquet")
    write_evaluation(made / "evaluate", sha256_file(made / "onnx/model.onnx"), 0.9, data=data)


def measure_phases(power, **parameters):
    """Seconds by phase of a run from when it is scheduled to its end; a phase that it passed over took none."""
    power.log.write_bytes(b"")
    reached = {"start": time.monotonic()}
    power.schedule_run(families=["fcn"], **parameters)
    while "end" not in reached:
        log = power.read_log()
        reached |= {phase: time.monotonic() for phase, begins in BEGINS.items() if phase not in reached and begins(log)}
        time.sleep(0.05)
    power.wait_for_runs()
    return {phase: reached[after] - reached[phase] for phase, after in pairwise(reached)}


def copy(checkout, to):
    """A copy, of which DVC thinks no worse than of the original."""
    subprocess.run(["cp", "--archive", str(checkout), str(to)], check=True)
    return to


def read_result(checkout):
    """What a run leaves, without its times: equal results are equal here."""
    client = connect(f"sqlite:///{checkout}/mlflow.db")
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    history = json.loads((checkout / "models/fcn/checkpoint/history.json").read_text())
    curves = {}
    for key in ("train/loss", "val/mean_iu"):
        points = client.get_metric_history(runs[0].info.run_id, key)[: len(history)]
        curves[key] = [(point.step, point.value) for point in points]
    return {
        "weights": sha256_file(checkout / "models/fcn/checkpoint/weights.safetensors"),
        "graphs": identify(checkout / "models/fcn"),
        "runs": [run.info.status for run in runs],
        "curves": curves,
        "versions": [(found.version, found.tags["onnx_sha256"]) for found in client.search_model_versions()],
        "logged models": [model.status for model in client.search_logged_models([runs[0].info.experiment_id])],
        "aliases": read_aliases(client, "fcn"),
        "changes": [key.partition(".")[0] for key in client.get_registered_model("fcn").tags],
        "ledgers": [
            [{key: entry[key] for key in LEDGER_KEYS} for entry in entries]
            for entries in (read_ledger(checkout / LEDGER), read_shared_entries(client))
        ],
        "state": sorted(path.name for path in (checkout / ".state").glob("train-*")),
    }


def run_until_cut(power, phase, moment, world):
    """Cut the power at a moment of a phase, as a share of its seconds."""
    seconds = moment * world.seconds[phase]
    if phase == "deploy":
        power.start_server()
        power.start_deploying()
        time.sleep(seconds)
        power.cut()
        return
    with power.on():
        power.schedule_run(families=["fcn"])
        if phase in BEGINS:
            until(lambda: BEGINS[phase](power.read_log()))
        time.sleep(seconds)


def stay_without_power(checkout):
    """Let time pass between the states that Prefect keeps and now."""
    with closing(sqlite3.connect(checkout / ".prefect/prefect.db")) as database, database:
        for table, column in {"flow_run": "state_timestamp", "flow_run_state": "timestamp"}.items():
            # With milliseconds: the states of a run have times of their own.
            earlier = f"strftime('%Y-%m-%d %H:%M:%f', {column}, '-{MINUTES_OFF} minutes')"
            database.execute(f"UPDATE {table} SET {column} = {earlier}")


@pytest.mark.parametrize(("seed", "phase"), SEEDS)
def test_after_a_power_cut_the_next_scheduled_run_ends_as_if_there_had_been_none(seed, phase, world):
    power = world.plug_in(world.trained if phase in AFTER_THE_STAGES else world.fresh)
    moment = random.Random(seed).random()
    run_until_cut(power, phase, moment, world)
    assert not survivors(power.checkout)
    stay_without_power(power.checkout)

    with power.on(deploys=phase == "deploy"):
        power.schedule_run(families=["fcn"])
        runs = power.wait_for_runs()
        power.wait_until_idle()
    print(f"\nseed {seed}, cut after {moment:.0%} of {phase}: {runs}")
    assert [message for kind, message in runs if kind == "COMPLETED" and message.startswith("pipeline: ")]
    assert {kind for kind, _ in runs} <= {"COMPLETED", "CRASHED"}
    assert read_result(power.checkout) == world.result
