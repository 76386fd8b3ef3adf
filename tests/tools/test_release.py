import contextlib
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from support.bright_model import write_model

from components import promote, register
from pixelwise.errors import ModelError, ParamsError, RegistryError
from pixelwise.families.options import ReleaseParams
from pixelwise.registry.champion_change import finish_pending_change, record_decision
from pixelwise.registry.ledger import (
    append_once,
    list_champion_periods,
    read_ledger,
    read_shared_entries,
    share_entry,
)
from pixelwise.registry.references import find_local_folder
from pixelwise.registry.registration import save_evidence
from pixelwise.registry.versions import find_logged_model, read_aliases
from pixelwise.tools import release
from pixelwise.tracking.store import connect

PARAMS = ReleaseParams(mean_iu_floor=0.5, resamples=200, milliseconds_limit=100)
RELEASED = {"champion": "2", "previous": "1"}


class World:
    """A registry and a ledger in one folder."""

    def __init__(self, folder):
        self.folder, self.store, self.ledger = folder, f"sqlite:///{folder}/mlflow.db", folder / "promotions.jsonl"

    def register(self, accuracy, threshold):
        files = write_model(self.folder / str(threshold), accuracy, threshold)
        return register.run("fcn", **files, tracking=self.store)

    def promote(self):
        return promote.run(PARAMS, "fcn", self.ledger, self.store)

    def rollback(self):
        return str(release.rollback(["fcn"], self.ledger, self.store))

    def show(self, *names, on=None):
        return str(release.show(names, on, self.ledger, self.store))

    def aliases(self):
        return read_aliases(connect(self.store), "fcn")

    def changes(self):
        return [(line["act"], line["version"], line["previous"]) for line in read_ledger(self.ledger)]


@pytest.fixture(scope="module")
def templates(tmp_path_factory, mlflow_template):
    """Worlds to copy: version 2 a challenger that deserves its place, and version 2 released."""
    folder = tmp_path_factory.mktemp("releases") / "promotion"
    folder.mkdir()
    shutil.copy(mlflow_template, folder / "mlflow.db")
    world = World(folder)
    world.register(0.85, threshold=1)
    world.promote()
    world.register(0.9, threshold=2)
    released = folder.with_name("rollback")
    released.mkdir()
    for name in ("mlflow.db", "promotions.jsonl"):
        shutil.copy(folder / name, released)
    World(released).promote()
    return {"promotion": folder, "rollback": released}


def copied(template, folder):
    """A world of its own; the artifacts, which no change of aliases touches, stay where they are."""
    folder.mkdir(exist_ok=True)
    for name in ("mlflow.db", "promotions.jsonl"):
        shutil.copy(template / name, folder)
    return World(folder)


@pytest.fixture
def released(templates, tmp_path):
    return copied(templates["rollback"], tmp_path)


class Failing:
    """A client that fails at one of its calls: before it is made, or with the answer lost."""

    def __init__(self, client, fail_at, is_made):
        self.client, self.fail_at, self.is_made, self.calls = client, fail_at, is_made, 0

    def __getattr__(self, name):
        found = getattr(self.client, name)
        return self.counted(found) if callable(found) else found

    def counted(self, act):
        def acted(*args, **kwargs):
            fails, self.calls = self.calls == self.fail_at, self.calls + 1
            if fails and not self.is_made:
                raise ConnectionError
            answer = act(*args, **kwargs)
            if fails:
                raise ConnectionError
            return answer

        return acted


def change(world, act, monkeypatch, fail_at=None, is_made=False):
    """Promote or roll back, every call of the client and of the ledger counted; returns how many there were."""
    failing = Failing(connect(world.store), fail_at, is_made)
    with monkeypatch.context() as patch:
        patch.setattr(promote, "connect", lambda uri: failing)
        patch.setattr(release, "connect_existing", lambda uri: failing)
        patch.setattr("pixelwise.registry.champion_change.append_once", failing.counted(append_once))
        world.promote() if act == "promotion" else world.rollback()
    return failing.calls


@pytest.mark.parametrize("is_made", [False, True], ids=["before the call", "answer lost"])
@pytest.mark.parametrize(
    ("act", "line", "end"),
    [("promotion", ("promotion", "2", "1"), RELEASED), ("rollback", ("rollback", "1", "2"), {"champion": "1"})],
)
def test_a_change_cut_at_any_call_converges_when_repeated(templates, tmp_path, monkeypatch, act, line, end, is_made):
    before = World(templates[act]).changes()
    calls = change(copied(templates[act], tmp_path / "whole"), act, monkeypatch)
    assert calls >= 10
    for fail_at in range(calls):
        world = copied(templates[act], tmp_path / str(fail_at))
        with pytest.raises(ConnectionError):
            change(world, act, monkeypatch, fail_at, is_made)
        # Where the last call was made and only its answer was lost, nothing is left to do.
        with (
            contextlib.suppress(RegistryError) if (fail_at, is_made) == (calls - 1, True) else contextlib.nullcontext()
        ):
            change(world, act, monkeypatch)
        assert world.aliases() == end, f"cut at call {fail_at}"
        assert world.changes() == [*before, line], f"cut at call {fail_at}"
        assert "DISAGREE" not in world.show("fcn")


def test_a_rollback_brings_the_previous_version_back_and_a_second_says_there_is_nothing_further(released):
    assert released.rollback() == "fcn: version 1 is the champion again instead of version 2"
    with pytest.raises(RegistryError, match=r"^fcn: found no previous version to roll back to; version 1 stays"):
        released.rollback()
    assert released.changes()[-1] == ("rollback", "1", "2")
    first, _, line = read_ledger(released.ledger)
    assert (line["fingerprint"], line["onnx_sha256"]) == ("mark-1", first["onnx_sha256"])
    assert line["checks"] == first["checks"] != []


def test_a_version_that_was_rolled_back_is_not_promoted_again_and_a_better_one_is(released):
    released.rollback()
    released.register(0.9, threshold=2)
    refused = released.promote()
    assert refused.outcome == "refused"
    assert refused.decision.failures.startswith("never rolled back: found rolled back at 20")
    released.register(0.95, threshold=3)
    assert released.promote().outcome == "promoted"
    assert released.aliases() == {"champion": "3", "previous": "1"}


def test_a_rollback_to_a_damaged_model_is_refused_and_changes_nothing(released, tmp_path):
    client = connect(released.store)
    files = write_model(tmp_path / "other", threshold=9)
    # Evidence lies with the model; a graph there that nobody registered is damage too.
    save_evidence(client, "fcn", "1", [files["model"] / "onnx/model.onnx"])
    graph = resolve_folder(client, "1") / "evidence" / "model.onnx"
    try:
        with pytest.raises(ModelError, match=r"models:/fcn/1: .* found an unregistered graph"):
            released.rollback()
        assert released.aliases() == RELEASED
        assert len(released.changes()) == 2
    finally:
        graph.unlink()


def resolve_folder(client, version):
    return find_local_folder(find_logged_model(client, "fcn", version).artifact_location)


def lines_of(*changes):
    return [
        {
            "time": time,
            "act": act,
            "name": "fcn",
            "version": version,
            "previous": previous,
            "fingerprint": f"mark-{version}",
            "onnx_sha256": version * 64,
            "checks": [{"name": "mean IU", "passed": True, "found": f"0.{version}", "needed": ">= 0.5"}],
        }
        for time, act, version, previous in changes
    ]


@pytest.fixture
def history(tmp_path):
    """A ledger of three changes; on the day of the second, two versions were champion."""
    ledger = tmp_path / "promotions.jsonl"
    for line in lines_of(
        ("2026-03-01T10:00:00+00:00", "promotion", "1", None),
        ("2026-03-05T23:30:00+00:00", "promotion", "2", "1"),
        ("2026-03-07T01:30:00+02:00", "rollback", "1", "2"),
    ):
        append_once(ledger, line)
    return ledger


@pytest.mark.parametrize(
    ("on", "versions"),
    [
        ("2026-02-28", []),
        ("2026-03-01", ["1"]),
        ("2026-03-04", ["1"]),
        ("2026-03-05", ["1", "2"]),
        # 01:30 in a zone two hours ahead is still the day before, in UTC.
        ("2026-03-06", ["2", "1"]),
        ("2026-03-07", ["1"]),
        ("2026-04-30", ["1"]),
    ],
)
def test_the_ledger_says_what_was_in_production_on_any_day(history, on, versions):
    found = [
        period.entry["version"]
        for period in list_champion_periods(read_ledger(history), "fcn")
        if period.covers(date.fromisoformat(on))
    ]
    assert found == versions
    text = str(release.show((), on, history, "sqlite:///nowhere/mlflow.db"))
    assert [line.split()[4].strip(",") for line in text.splitlines() if ": version" in line] == versions
    if versions:
        assert f"  fingerprint mark-{versions[0]}\n  ONNX sha256 {versions[0] * 64}" in text
        assert f"  mean IU: 0.{versions[0]} (needed: >= 0.5)" in text
    else:
        assert text == f"fcn on {on}: nothing was in production"


def test_show_says_since_when_and_how_a_version_came_to_production(history):
    assert "version 2, 2026-03-05 23:30:00 to 2026-03-06 23:30:00 UTC, by promotion over version 1" in str(
        release.show((), "2026-03-06", history)
    )
    assert "version 1, 2026-03-06 23:30:00 to now UTC, by rollback from version 2" in str(
        release.show(["fcn"], "2026-03-07", history)
    )


def test_a_day_that_is_none_or_has_not_come_is_refused(history):
    with pytest.raises(ParamsError, match="--on: found 'March', expected a day such as"):
        release.show((), "March", history)
    with pytest.raises(ParamsError, match="expected a day that is not in the future"):
        release.show((), str((datetime.now(UTC) + timedelta(days=2)).date()), history)


def test_show_without_a_day_is_what_the_aliases_name_and_says_where_the_ledger_disagrees(released):
    text = released.show()
    assert text.startswith(
        "fcn:\n  champion: version 2\n  previous: version 1\n  challenger: version none\n  version 1, "
    )
    assert "DISAGREE" not in text
    connect(released.store).set_registered_model_alias("fcn", "champion", "1")
    assert released.show().endswith("DISAGREE: the registry's champion is version 1, the ledger's 2")
    with pytest.raises(RegistryError, match=r"clock: .* has no such model, expected one of: fcn"):
        released.show("clock")


def test_show_notices_another_graph_under_the_champions_number(released):
    entry = read_ledger(released.ledger)[-1] | {"onnx_sha256": "f" * 64}
    released.ledger.unlink()
    share_entry(connect(released.store), entry)
    assert f"in the registry, {'f' * 64} in the ledger" in released.show("fcn")


def test_a_change_made_in_one_checkout_is_shown_and_rolled_back_in_another(templates, tmp_path):
    first, second = copied(templates["rollback"], tmp_path), World(tmp_path)
    second.ledger = tmp_path / "other-checkout" / "promotions.jsonl"
    assert second.show() == first.show()
    assert "DISAGREE" not in second.show()
    today = str(datetime.now(UTC).date())
    assert second.show(on=today) == first.show(on=today)
    second.rollback()
    assert "by rollback from version 2" in first.show()
    assert (entry := read_ledger(second.ledger)[0])["checks"] == read_ledger(first.ledger)[0]["checks"] != []
    assert entry["act"] == "rollback"


def test_two_that_write_at_once_lose_no_entry(released):
    client = connect(released.store)
    first, second = (record_decision(client, "fcn", "promotion", "1", "2", writer=writer) for writer in "ab")
    finish_pending_change(client, "fcn", released.ledger)
    assert [entry.get("writer") for entry in read_shared_entries(client)][-2:] == ["a", "b"]
    assert read_ledger(released.ledger)[-2:] == [first, second]
    assert not [tag for tag in client.get_registered_model("fcn").tags if tag.startswith("pending")]


def test_an_entry_of_before_that_only_one_checkout_has_is_shown_as_such(released):
    (line,) = lines_of(("2026-03-01T10:00:00+00:00", "promotion", "1", None))
    append_once(released.ledger, line)
    shown = released.show("fcn").splitlines()
    assert shown[4].endswith("by promotion, the first, by the ledger of this checkout alone")
    assert shown[5].endswith("by promotion, the first")


def test_a_day_is_shown_without_the_registry_with_a_word_about_it(history, capsys):
    release.show((), "2026-03-04", history, "sqlite:///nowhere/mlflow.db")
    assert "no such store, expected one that training or registering made; this is from the ledger of this" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize("deleted", ["alias", "version"])
def test_a_rollback_without_a_champion_goes_to_the_previous_version(released, deleted):
    delete(released, deleted, "2")
    assert released.rollback() == "fcn: version 1 is the champion again instead of version 2"
    assert released.aliases() == {"champion": "1"}
    assert "DISAGREE" not in released.show("fcn")


@pytest.mark.parametrize("deleted", ["alias", "version"])
def test_a_rollback_without_a_previous_version_goes_to_the_last_of_the_ledger_that_is_there(released, deleted):
    released.register(0.95, threshold=3)
    released.promote()
    delete(released, deleted, "2", alias="previous")
    assert (
        released.rollback()
        == f"fcn: version {2 if deleted == 'alias' else 1} is the champion again instead of version 3"
    )
    assert client_tags(released, "3")["rolled_back"]
    with pytest.raises(RegistryError, match="found no previous version to roll back to"):
        released.rollback()


def test_a_promotion_after_the_champion_was_deleted_keeps_the_previous_version(released):
    delete(released, "version", "2")
    released.register(0.95, threshold=3)
    released.promote()
    assert released.aliases() == {"champion": "3", "previous": "1"}


def test_what_was_deleted_is_named_and_the_ledger_still_shown(released):
    delete(released, "version", "2")
    assert "DISAGREE: the registry's champion is version None, the ledger's 2, which was deleted" in released.show()
    connect(released.store).delete_registered_model("fcn")
    assert "version 2, 20" in released.show()
    with pytest.raises(RegistryError, match=r"there is no champion\. The ledger's last, version 2 of 20.* register"):
        released.rollback()
    released.ledger.unlink()
    assert released.show().endswith("mlflow.db: no model is registered")


def delete(world, what, version, alias="champion"):
    """Delete an alias of fcn, or a version with its aliases, by hand."""
    client = connect(world.store)
    if what == "alias":
        client.delete_registered_model_alias("fcn", alias)
    else:
        client.delete_model_version("fcn", version)


def client_tags(world, version):
    return connect(world.store).get_model_version("fcn", version).tags


def test_find_leads_back_from_what_a_model_was_made_of(released):
    client = connect(released.store)
    onnx = client.get_model_version("fcn", "2").tags["onnx_sha256"]
    assert str(release.find(["mark-2"], released.store)) == "models:/fcn/2: fingerprint mark-2"
    assert str(release.find([onnx[:12]], released.store)).splitlines() == [
        f"models:/fcn/2: onnx_sha256 {onnx}",
        f"models:/fcn/2: onnx/model.onnx {onnx}",
    ]
    with pytest.raises(RegistryError, match="found no version with 0000000"):
        release.find(["0000000"], released.store)


def test_the_command_takes_an_act_and_its_options(released, capsys):
    release.main(["show", "fcn", "--ledger", str(released.ledger), "--tracking", released.store])
    assert capsys.readouterr().out.startswith("fcn:\n  champion: version 2")
    with pytest.raises(SystemExit) as end:
        release.main(["rollback", "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("usage: pixelwise release rollback [-h]")
