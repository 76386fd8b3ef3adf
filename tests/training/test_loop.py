"""The loop: seeded, resumable at any instant, kept at its best."""

import math

import numpy as np
import pytest
import torch
from support.regressions import PARAMS, STEPS, KilledError, Noise, assert_same, train

from pixelwise.errors import ModelError
from pixelwise.training.loop import BEST_FILE, STATE_FILE, load_batches


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


def test_the_same_seed_gives_the_same_weights_and_curves_and_another_seed_gives_others(whole, tmp_path):
    assert_same(train(tmp_path / "again"), whole)
    other, _ = train(tmp_path / "other", seed=1)
    assert not torch.equal(other[0].weight, whole[0][0].weight)


def test_the_number_of_loader_threads_changes_nothing(whole, tmp_path):
    assert_same(train(tmp_path, loader_threads=1), whole)


def test_training_lowers_the_loss(tmp_path):
    _, history = train(tmp_path, epochs=20, learning_rate=0.05)
    assert history[-1]["train/loss"] < 0.7 * history[0]["train/loss"]


@pytest.mark.parametrize("kill_at", range(0, 4 * STEPS, 2))
def test_a_training_killed_at_any_step_resumes_to_the_same_weights_and_curves(whole, tmp_path, kill_at):
    with pytest.raises(KilledError):
        train(tmp_path, Noise(kill_at=kill_at))
    task = Noise()
    assert_same(train(tmp_path, task), whole)
    assert task.calls == 4 * STEPS - kill_at // STEPS * STEPS, "it began again at an epoch already finished"


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_a_training_killed_as_an_epoch_ends_resumes_to_the_same_weights_and_curves(whole, tmp_path, epoch):
    def kill(row, finished):
        if finished == epoch:
            raise KilledError

    with pytest.raises(KilledError):
        train(tmp_path, record=kill)
    assert_same(train(tmp_path), whole)


def test_a_training_killed_twice_resumes_to_the_same_weights(whole, tmp_path):
    for kill_at in (4, 4):
        with pytest.raises(KilledError):
            train(tmp_path, Noise(kill_at=kill_at))
    assert_same(train(tmp_path), whole)


def test_a_finished_state_gives_its_result_again_without_a_step(whole, tmp_path):
    train(tmp_path)
    task = Noise()
    assert_same(train(tmp_path, task), whole)
    assert task.calls == task.validations == 0


def test_a_damaged_state_is_an_error_of_one_line(tmp_path):
    train(tmp_path)
    file = tmp_path / STATE_FILE
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(ModelError, match=STATE_FILE):
        train(tmp_path)


def test_every_epoch_is_recorded_once_with_the_metrics_of_its_row(tmp_path):
    recorded = []
    _, history = train(tmp_path, record=lambda row, epoch: recorded.append({"epoch": epoch, **row}))
    assert recorded == history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert ["val/score" in row for row in history] == [False, True, False, True]
    # What was recorded before a kill may not have reached the store.
    resumed = []
    train(tmp_path, record=lambda row, epoch: resumed.append({"epoch": epoch, **row}))
    assert resumed == history
    assert all(row["images_per_second"] > 0 and row["learning_rate"] > 0 for row in history)
    assert [row["images_per_second"] * row["seconds"] for row in history] == pytest.approx([STEPS * 4] * 4)


def test_it_stops_when_validations_no_longer_improve_and_a_resumed_run_stops_there_too(tmp_path):
    scores = (0.1, 0.5, 0.4, 0.5, 0.3, 0.9)
    task = Noise(scores=scores)
    net, history = train(tmp_path, task, epochs=20, validate_every=1, patience=3)
    assert [row["val/score"] for row in history] == list(scores[:5])
    again = Noise()
    assert_same(train(tmp_path, again, epochs=20, validate_every=1, patience=3), (net, history))
    assert again.calls == 0


def test_the_best_averaged_weights_are_returned_not_the_last(tmp_path):
    class Keeping(Noise):
        def score(self, net):
            seen.append({name: value.clone() for name, value in net.state_dict().items()})
            return super().score(net)

    seen = []
    net, _ = train(tmp_path, Keeping(scores=(0.1, 0.9, 0.2, 0.9)), validate_every=1)
    assert all(torch.equal(value, seen[1][name]) for name, value in net.state_dict().items())
    assert not torch.equal(seen[1]["0.weight"], seen[3]["0.weight"])


def test_the_last_epoch_is_scored_whatever_the_rhythm(tmp_path):
    _, history = train(tmp_path, validate_every=3)
    assert ["val/score" in row for row in history] == [False, False, True, True]


def all_batches(params, rank=0, world=1, epoch=0):
    steps = max(1, 13 // (params.batch_size * world))
    return [
        {k: v.copy() for k, v in batch.items()} for batch in load_batches(Noise(), params, epoch, steps, rank, world)
    ]


def test_batches_are_the_same_whatever_the_number_of_threads():
    one, three = (all_batches(PARAMS.model_copy(update={"loader_threads": n})) for n in (1, 3))
    assert len(one) == STEPS
    for a, b in zip(one, three, strict=True):
        assert a["x"].shape == (4, 5)
        assert all(np.array_equal(a[name], b[name]) for name in ("x", "index"))


def test_an_epoch_shows_no_sample_twice_and_the_next_one_another_order():
    first, second = (np.concatenate([b["index"] for b in all_batches(PARAMS, epoch=epoch)]) for epoch in (0, 1))
    assert len(set(first)) == len(first) == 12
    assert first.tolist() != second.tolist()


def test_processes_share_an_epoch_without_overlap():
    params = PARAMS.model_copy(update={"batch_size": 3})
    shares = [np.concatenate([b["index"] for b in all_batches(params, rank, world=2)]) for rank in (0, 1)]
    assert [len(share) for share in shares] == [6, 6]
    assert not set(shares[0]) & set(shares[1])
    assert len(set(shares[0]) | set(shares[1])) == 12


def test_a_split_smaller_than_a_batch_still_fills_one():
    (batch,) = all_batches(PARAMS.model_copy(update={"batch_size": 20}))
    assert len(batch["index"]) == 20
    assert set(batch["index"]) == set(range(13))


def test_an_error_in_a_loader_thread_reaches_the_caller(tmp_path):
    class Broken(Noise):
        def sample(self, seed, epoch, index):
            raise ModelError("sample 7: broken")

    with pytest.raises(ModelError, match="sample 7: broken"):
        train(tmp_path, Broken())


def test_a_score_that_is_not_a_number_is_no_best(tmp_path):
    net, _ = train(tmp_path, Noise(scores=(0.1, math.nan)), epochs=4)
    assert (tmp_path / BEST_FILE).exists()
    assert all(p.isfinite().all() for p in net.parameters())
