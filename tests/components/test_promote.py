import json
import shutil
from dataclasses import replace

import pytest
from support.bright_model import write_model

from components import promote, register
from pixelwise.errors import RegistryError
from pixelwise.families.options import ReleaseParams
from pixelwise.metrics.measurement import MEASUREMENTS, read_measurements, write_measurements
from pixelwise.registry.ledger import read_ledger, read_shared_entries
from pixelwise.registry.versions import ONNX_TAG, read_aliases
from pixelwise.tracking.store import connect

PARAMS = ReleaseParams(
    mean_iu_floor=0.5,
    pixel_accuracy_floor=0.6,
    class_iu_floor=0.1,
    margin=0.01,
    class_margin=0.05,
    confidence=0.95,
    resamples=200,
    seed=0,
    parity_floor=0.999,
    milliseconds_limit=100,
)


class World:
    """A registry and a ledger in one folder."""

    def __init__(self, folder, store):
        self.folder, self.store, self.ledger = folder, store, folder / "promotions.jsonl"

    def register(self, accuracy, threshold):
        files = write_model(self.folder / str(threshold), accuracy, threshold)
        return register.run("fcn", **files, tracking=self.store)

    def promote(self):
        return promote.run(PARAMS, "fcn", self.ledger, self.store)

    def aliases(self):
        return read_aliases(connect(self.store), "fcn")

    def versions(self):
        return [(line["version"], line["previous"]) for line in read_ledger(self.ledger)]


@pytest.fixture
def world(tmp_path, mlflow_store):
    return World(tmp_path, mlflow_store)


@pytest.fixture(scope="module")
def contested_template(tmp_path_factory, mlflow_template):
    folder = tmp_path_factory.mktemp("contested")
    shutil.copy(mlflow_template, folder / "mlflow.db")
    world = World(folder, f"sqlite:///{folder}/mlflow.db")
    world.register(0.85, threshold=1)
    world.promote()
    world.register(0.9, threshold=2)
    return folder


@pytest.fixture
def contested(tmp_path, contested_template):
    """Version 1 is champion, and version 2 a challenger that deserves its place."""
    for name in ("mlflow.db", "promotions.jsonl"):
        shutil.copy(contested_template / name, tmp_path)
    return World(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")


def test_the_first_model_above_the_floors_becomes_champion(world):
    world.register(0.85, threshold=1)
    assert world.promote().outcome == "promoted"
    assert world.aliases() == {"champion": "1"}
    assert world.versions() == [("1", None)]


def test_a_promotion_moves_the_aliases_and_leaves_one_line(contested):
    assert contested.promote().outcome == "promoted"
    assert contested.aliases() == {"champion": "2", "previous": "1"}
    assert contested.versions() == [("1", None), ("2", "1")]
    line = read_ledger(contested.ledger)[-1]
    assert line["fingerprint"] == "mark-2"
    assert len(line["onnx_sha256"]) == 64
    assert all(check["passed"] for check in line["checks"])


def test_promoting_again_changes_nothing(contested):
    contested.promote()
    again = contested.promote()
    assert (again.outcome, again.version) == ("unchanged", "2")
    assert contested.versions() == [("1", None), ("2", "1")]


def test_a_worse_challenger_is_refused_and_stays_challenger(contested):
    contested.register(0.7, threshold=3)
    refused = contested.promote()
    assert refused.outcome == "refused"
    assert "mean IU against champion" in refused.decision.failures
    assert contested.aliases() == {"champion": "1", "challenger": "3"}
    assert contested.versions() == [("1", None)]


def test_a_better_model_of_other_classes_from_another_checkout_is_refused(world, tmp_path):
    world.register(0.85, threshold=1)
    world.promote()
    other = tmp_path / "other"
    files = write_model(other, accuracy=0.99, threshold=2)
    file = files["evaluation"] / MEASUREMENTS
    (measured,) = read_measurements(file)
    write_measurements(file, [replace(measured, classes=("background", "tumour", "vessel"))])
    register.run("fcn", **files, tracking=world.store)
    refused = promote.run(PARAMS, "fcn", other / "promotions.jsonl", world.store)
    assert refused.outcome == "refused"
    assert "other classes: town (background, tumour, vessel)" in refused.failure
    assert world.aliases() == {"champion": "1", "challenger": "2"}
    assert [entry["version"] for entry in read_shared_entries(connect(world.store))] == ["1"]


def write_watched(world, share, pictures=200, rival="2"):
    """What `pixelwise watch` found of version 1 and a challenger."""
    client = connect(world.store)
    model, other = (client.get_model_version("fcn", version).tags[ONNX_TAG] for version in ("1", rival))
    found = {"model": model, "rival": other, "pictures": pictures, "share": share}
    (world.folder / "watch.json").write_text(json.dumps({"disagreement": found}))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (None, "found not measured"),
        ({"share": 0.01, "pictures": 99}, "found not measured"),
        ({"share": 0.01, "rival": "1"}, "found not measured"),
        ({"share": 0.06}, "found 0.0600 over 200, needed <= 0.05"),
        ({"share": 0.05}, None),
    ],
    ids=["not watched", "few pictures", "another challenger", "different", "alike"],
)
def test_a_limit_of_the_disagreement_needs_what_watch_found_on_live_pictures(contested, found, reason):
    if found:
        write_watched(contested, **found)
    params = PARAMS.model_copy(update={"shadow_disagreement_limit": 0.05})
    promotion = promote.run(params, "fcn", contested.ledger, contested.store, contested.folder / "watch.json")
    assert (promotion.outcome == "refused") == bool(reason)
    assert reason is None or reason in promotion.failure


def cut_promotion(world, monkeypatch):
    """Let a promotion be decided, and cut it before anything moves."""
    with monkeypatch.context() as patch:
        patch.setattr(promote, "apply_change", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.promote()


def test_a_cut_promotion_is_finished_before_the_next_challenger_is_judged(contested, monkeypatch):
    cut_promotion(contested, monkeypatch)
    contested.register(0.95, threshold=3)
    contested.promote()
    assert contested.aliases() == {"champion": "3", "previous": "2"}
    assert contested.versions() == [("1", None), ("2", "1"), ("3", "2")]


def test_a_cut_promotion_is_dropped_where_the_champion_changed_hands_since(contested, monkeypatch):
    cut_promotion(contested, monkeypatch)
    contested.register(0.95, threshold=3)
    connect(contested.store).set_registered_model_alias("fcn", "champion", "3")
    contested.register(0.9, threshold=2)
    assert contested.promote().outcome == "refused"
    assert contested.aliases()["champion"] == "3"
    assert contested.versions() == [("1", None)]


def test_the_command_prints_the_checks_of_a_refusal_and_ends_with_one_line(world, tmp_path, mlflow_store, capsys):
    world.register(0.3, threshold=1)
    params = tmp_path / "params.yaml"
    params.write_text(json.dumps({"fcn": {"release": PARAMS.model_dump()}}))
    options = ["--name", "fcn", "--params", str(params), "--ledger", str(world.ledger), "--tracking", mlflow_store]
    with pytest.raises(SystemExit, match=r"^error: fcn version 1: refused: mean IU: found 0\.\d+, needed >= 0\.5000"):
        promote.main(options)
    assert "FAILED" in capsys.readouterr().out
    assert not world.ledger.exists()


def test_promoting_what_was_never_registered_is_an_error(world):
    with pytest.raises(RegistryError, match=r"fcn: .* has neither challenger nor champion"):
        world.promote()


def test_evidence_of_an_earlier_pixelwise_is_named_with_the_commands_that_make_it_anew(world):
    world.register(0.85, threshold=1)
    (measurements,) = world.folder.rglob("mlartifacts/**/evidence/measurements.npz")
    measurements.unlink()
    with pytest.raises(RegistryError, match=r"^fcn version 1: its evidence .* evaluate --model models:/fcn/1 --out"):
        world.promote()
