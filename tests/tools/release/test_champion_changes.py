"""Promotions and rollbacks: cut at any call, repeated, of a damaged model, and by two at once."""

import contextlib

import pytest
from support.bright_model import write_model
from support.releases import RELEASED, World, copied

from components import promote
from pixelwise.errors import ModelError, RegistryError
from pixelwise.registry.champion_change import finish_pending_change, record_decision
from pixelwise.registry.ledger import append_once, read_ledger, read_shared_entries
from pixelwise.registry.references import find_local_folder
from pixelwise.registry.registration import EVIDENCE, save_files
from pixelwise.registry.versions import find_logged_model
from pixelwise.tools import release
from pixelwise.tracking.store import connect


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


@pytest.mark.slow
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
    save_files(client, "fcn", "1", [files["model"] / "onnx/model.onnx"], EVIDENCE)
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


def test_two_that_write_at_once_lose_no_entry(released):
    client = connect(released.store)
    first, second = (record_decision(client, "fcn", "promotion", "1", "2", writer=writer) for writer in "ab")
    finish_pending_change(client, "fcn", released.ledger)
    assert [entry.get("writer") for entry in read_shared_entries(client)][-2:] == ["a", "b"]
    assert read_ledger(released.ledger)[-2:] == [first, second]
    assert not [tag for tag in client.get_registered_model("fcn").tags if tag.startswith("pending")]
