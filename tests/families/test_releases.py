"""Every family goes all the way: its own evaluation is judged, and its versions are promoted, found and rolled back."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.family_models import copy_model, copy_plain_net, stamp
from support.object_sets import write_coco_mval

from components import evaluate, promote, register
from pixelwise.errors import DataError
from pixelwise.families import find_options, names
from pixelwise.families.exported import find_family
from pixelwise.inference.exported_models import identify
from pixelwise.metrics.measurement import read_measurements
from pixelwise.model_folder import ModelFolder
from pixelwise.registry.ledger import read_ledger
from pixelwise.registry.references import resolve_model, resolve_model_folder
from pixelwise.registry.versions import read_aliases
from pixelwise.tools import release
from pixelwise.tracking.store import connect

# The measure of each family by which its versions are compared, the unit of a resample, and further measures.
JUDGED = {
    "clockwork": ("mean IU", "clip", ["mean IU lost", "speed-up"]),
    "composition": ("mean IU", "image", []),
    "fcn": ("mean IU", "image", []),
    "guided": ("positive IU", "task", []),
}
FLOORS = ("mean_iu_floor", "pixel_accuracy_floor", "positive_iu_floor", "speed_up_floor")
EVALUATED = {"schedule": "frontier", "judged_schedule": "skip:2", "tasks": 4, "pictures": 1, "provider": "cpu"}


def known(model, values):
    """Those of the values for which `model` has a field."""
    return {name: value for name, value in values.items() if name in model.model_fields}


@dataclass
class World:
    """The model of one family, the data that it is scored on, and a registry with a ledger of its own."""

    family: str
    model: Path
    data: dict[str, object]
    folder: Path
    aliases_by_act: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def store(self):
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def ledger(self):
        return self.folder / "promotions.jsonl"

    @property
    def evaluation(self):
        return self.folder / "evaluate"

    def evaluate(self):
        options = find_options(self.family).EvaluateParams
        params = options(**known(options, EVALUATED))
        evaluate.run(params, self.model, out=self.evaluation, json=self.folder / "metrics.json", **self.data)

    def register(self, model=None, evaluation=None):
        return register.run(self.family, model or self.model, evaluation or self.evaluation, tracking=self.store)

    def promote(self, **limits):
        model = find_options(self.family).ReleaseParams
        lax = dict.fromkeys(FLOORS, 0.0) | {"loss_limit": 1.0, "resamples": 200}
        return promote.run(model(**known(model, lax) | limits), self.family, self.ledger, self.store)

    def aliases(self):
        return read_aliases(connect(self.store), self.family)

    def challenge(self):
        """Register the same model with another stamp on one graph, and the same scores."""
        model, evaluation = copy_model(self.model, self.folder / "other"), self.folder / "other-evaluate"
        stamp(model, ModelFolder(model).graphs()[-1].stem, again="yes")
        shutil.copytree(self.evaluation, evaluation)
        with pytest.raises(DataError, match="evaluate it again"):
            self.register(model, evaluation)
        metrics = json.loads((evaluation / "metrics.json").read_text())
        (evaluation / "metrics.json").write_text(json.dumps(metrics | {"model_sha256": identify(model)}))
        return self.register(model, evaluation)


@pytest.fixture(scope="module", params=names())
def world(request, tmp_path_factory, mlflow_template, tiny_town, clockwork_model, guided_folder):
    """A model that is evaluated, registered and promoted, replaced by another version, and then rolled back to."""
    family, folder = request.param, tmp_path_factory.mktemp(request.param)
    shutil.copy(mlflow_template, folder / "mlflow.db")
    models = {"clockwork": clockwork_model, "guided": guided_folder}
    model = models.get(family) or copy_plain_net(clockwork_model, folder / "model", family)
    objects = {"dataset": "coco_mval", "root": write_coco_mval(folder / "coco", ["bowl", "kite"] * 3)}
    made = World(family, model, objects if family == "guided" else {"data": tiny_town}, folder)
    made.evaluate()
    made.register()
    made.aliases_by_act["register"] = made.aliases()
    made.promote()
    made.aliases_by_act["promote"] = made.aliases()
    made.challenge()
    made.promote()
    made.aliases_by_act["replace"] = made.aliases()
    release.rollback([family], made.ledger, made.store)
    return made


@pytest.mark.covers("evaluate")
def test_evaluate_writes_what_the_gate_judges_and_names_the_model(world):
    name, unit, others = JUDGED[world.family]
    main, *further = read_measurements(world.evaluation / "measurements.npz")
    metrics = json.loads((world.folder / "metrics.json").read_text())
    assert (main.name, main.unit, [one.name for one in further]) == (name, unit, others)
    assert main.score == pytest.approx(metrics[metrics["measures"][name]])
    assert metrics["scored_on"].startswith(main.extent)
    assert metrics["model_sha256"] == identify(world.model)
    assert metrics["split"] == "val"


@pytest.mark.covers("register")
def test_register_takes_every_graph_and_gives_it_back(world):
    assert world.aliases_by_act["register"] == {"challenger": "1"}
    folder = resolve_model(f"models:/{world.family}/1", world.store)
    assert identify(folder) == identify(world.model)
    assert [graph.name for graph in ModelFolder(folder).graphs()] == [
        graph.name for graph in ModelFolder(world.model).graphs()
    ]


@pytest.mark.covers("promote")
def test_promote_judges_the_family_by_its_own_measure(world):
    assert world.aliases_by_act["promote"] == {"champion": "1"}
    assert world.aliases_by_act["replace"] == {"champion": "2", "previous": "1"}
    name, _, others = JUDGED[world.family]
    first, second = ({check["name"] for check in line["checks"]} for line in read_ledger(world.ledger)[:2])
    assert {name, "ONNX parity", *others} <= first
    assert f"{name} against champion" in second


def test_rollback_show_and_find_know_the_family(world):
    assert world.aliases()["champion"] == "1"
    shown = str(release.show([world.family], None, world.ledger, world.store))
    assert f"{world.family}:\n  champion: version 1" in shown
    assert "DISAGREE" not in shown
    found = str(release.find([identify(world.model)[:12]], world.store))
    assert f"models:/{world.family}/1: onnx_sha256" in found
    champion = resolve_model_folder(Path(f"models:/{world.family}@champion"), world.store)
    assert find_family(champion) == world.family


@pytest.mark.covers("promote")
def test_a_floor_that_is_missed_refuses_the_challenger_by_the_name_of_the_measure(world):
    name = JUDGED[world.family][0]
    floor = "positive_iu_floor" if name == "positive IU" else "mean_iu_floor"
    client = connect(world.store)
    client.set_registered_model_alias(world.family, "challenger", "2")
    client.delete_model_version_tag(world.family, "2", "rolled_back")
    refused = world.promote(**{floor: 1.0})
    assert refused.outcome == "refused"
    assert refused.decision.failures.startswith(f"{name}: found 0.")
