"""Each use in each place ends right, or in one line with nothing lost.

The checkout has released two versions; a place is what a command finds around it. Of the power cuts, test_power_cut.py
has the next run, after a cut in deployment, training, registration and promotion, and test_kills.py the next `dvc
repro`. Here are the other uses, before that run.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import yaml
from support.place_list import AFTER_A_CUT, PLACES
from support.place_templates import Templates
from support.places import Place
from support.released_project import PICTURE, VERSIONS, count_bright

pytestmark = pytest.mark.slow
CHAMPION = "models:/fcn@champion"


@dataclass(frozen=True)
class Use:
    """A command, and the check of what it said and did, which gets the place and the output."""

    command: tuple[str, ...]
    check: Callable[[Place, str], None]


def check_run(place, told):
    number = place.champion + 1
    assert re.search("^promote-fcn . promoted", told, re.MULTILINE), told
    assert place.aliases() == {"champion": number} | ({"previous": place.champion} if place.champion else {})
    assert place.changes()[-1] == ("promotion", str(number))
    (linked,) = place.ask("SELECT run_id FROM model_versions WHERE name = ? AND version = ?", place.name, str(number))
    assert linked == (place.run_id(),)
    check_repro(place, told)


def check_repro(place, told):
    stages = yaml.safe_load((place.folder / "dvc.lock").read_text())["stages"]
    assert stages["train@fcn"]["params"]["params.yaml"]["fcn.train"]["learning_rate"] == VERSIONS[3].rate
    assert place.run_id() in place.finished_runs()


def check_predict(place, told):
    assert count_bright(place.folder / "out") == 4 - place.champion


def check_why_a_stage(place, told):
    reason = "up to date" if place.is_trained else r"parameter fcn\.train\.learning_rate: 0\.002 . 0\.003"
    assert re.search(reason, told), told


def check_why_a_model(place, told):
    assert f"version {place.champion} of {place.name}, family fcn" in told
    assert re.search("  data .*, the same here", told), told
    assert re.search("  code .*, the same here", told), told
    assert f"parameter    fcn.train.learning_rate: {VERSIONS[place.champion].rate}" in told


def check_rollback(place, told):
    number = place.champion - 1
    assert f"{place.name}: version {number} is the champion again instead of version {place.champion}" in told
    assert place.aliases()["champion"] == number
    assert place.changes()[-1] == ("rollback", str(number))
    status, shown = place("pixelwise", "release", "show", "fcn")
    assert status == 0, shown
    assert f"  champion: version {number}\n" in shown
    assert "DISAGREE" not in shown


def check_verify(place, told):
    (versions,) = place.ask("SELECT count(*) FROM model_versions WHERE name = ?", place.name)[0]
    assert re.search(
        rf"^intact: 8 images of the prepared data, \d+ files .*, {versions} registered", told, re.MULTILINE
    )


USES = {
    "run": Use(("pixelwise", "run", "fcn"), check_run),
    "repro": Use(("dvc", "repro"), check_repro),
    "predict": Use(("pixelwise", "predict", "--model", CHAMPION, PICTURE, "--output", "out"), check_predict),
    "why a stage": Use(("pixelwise", "why", "train@fcn"), check_why_a_stage),
    "why a model": Use(("pixelwise", "why", CHAMPION), check_why_a_model),
    "release": Use(("pixelwise", "release", "rollback", "fcn"), check_rollback),
    "verify": Use(("pixelwise", "verify"), check_verify),
}
OF_THE_STORE = ("predict", "why a model", "release")


def check_postponed(place, told):
    """Training and release went on without the store; what waits for it is sent."""
    assert re.search("^register-fcn . postponed: .*database is locked", told, re.MULTILINE), told
    assert place.aliases() == {"champion": 2, "previous": 1}
    check_kept(place, told)


def check_kept(place, told):
    """The run of the training was kept, and is sent to the store that answers again."""
    assert re.search("tracking: .*database is locked; the run is kept in ", told), told
    assert place.run_id() not in place.finished_runs()
    status, told = place("pixelwise", "send-runs")
    assert status == 0, told
    check_repro(place, told)


# What is not right, but one line or a postponed run. A worktree has no store, data or cache but its own.
REFUSALS = {
    **{("worktree", use): "no such store, expected one that training or registering made" for use in OF_THE_STORE},
    ("worktree", "verify"): "data/prepared: found nothing to compare, expected what dvc.lock names",
    **{
        ("older server", use): "found MLflow 1.30.0, expected a server of MLflow 3."
        for use in ("run", "repro", "verify", *OF_THE_STORE)
    },
    **{("locked", use): "mlflow.db: database is locked" for use in ("verify", *OF_THE_STORE)},
}
WITHOUT_THE_STORE = {("locked", "run"): check_postponed, ("locked", "repro"): check_kept}


@pytest.fixture(scope="module")
def templates(tmp_path_factory, mlflow_template, tiny_town):
    return Templates(tmp_path_factory.mktemp("uses"), mlflow_template, tiny_town)


CELLS = [(place, use) for place in PLACES for use in USES if place not in AFTER_A_CUT or use not in ("run", "repro")]


@pytest.mark.parametrize(("where", "what"), CELLS, ids=lambda word: word.replace(" ", "_"))
def test_a_use_in_a_place_ends_right_or_in_one_line_with_nothing_lost(where, what, templates, tmp_path):
    use = USES[what]
    with PLACES[where](templates, tmp_path) as place:
        if what in ("run", "repro", "why a stage"):
            place.edit()
        records, surroundings = place.records(), place.surroundings()
        with place.during():
            status, told = place(*use.command)
        assert "Traceback" not in told
        if words := REFUSALS.get((where, what)):
            require_one_line(status, told, words)
        else:
            assert status == 0, told
            WITHOUT_THE_STORE.get((where, what), use.check)(place, told)
        assert records <= place.records()
        assert place.surroundings() == surroundings


def require_one_line(status, told, words):
    """The command failed, and one line says why: that of the step, which the run repeats."""
    assert status != 0, told
    lines = [line for line in told.splitlines() if line.startswith("error: ")]
    assert lines, told
    assert all(words in line for line in lines), told
