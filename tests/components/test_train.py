"""Training an FCN on a tiny town, as it is: what it leaves, and what it refuses."""

from pathlib import Path

import pytest
from support.fcn_model import PARAMS, one_line, read, train_fcn

from components import train
from pixelwise.data.prepared import PreparedData
from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.families import trainer
from pixelwise.families.fcn import family as fcn
from pixelwise.families.trained import load_trained
from pixelwise.identity import sha256_file
from pixelwise.stage_inputs import InputsChangedError
from pixelwise.training.checkpoints import load_tensors


@pytest.mark.parametrize(
    ("variables", "options", "named"),
    [
        ({}, {}, ("fcn", "train-fcn")),
        ({"MLFLOW_EXPERIMENT_NAME": "roads", "MLFLOW_RUN_NAME": "monday"}, {}, ("roads", "monday")),
        ({"MLFLOW_EXPERIMENT_NAME": "roads"}, {"experiment": "asked", "name": "also"}, ("asked", "also")),
    ],
)
def test_experiment_and_run_have_the_names_that_mlflows_variables_give(variables, options, named, monkeypatch):
    for name in ("MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_NAME"):
        monkeypatch.setenv(name, variables.get(name, ""))
    monkeypatch.setattr(train, "learn", lambda *arguments: arguments[6:8])
    assert train.run(PARAMS, "fcn", Path("data"), Path("out"), Path("state"), **options) == named


@pytest.mark.covers("train", "fcn")
def test_training_leaves_weights_curves_and_their_origin_and_no_state(data, checkpoint):
    assert {file.name for file in checkpoint.iterdir()} == {
        "weights.safetensors",
        "model.json",
        "run.json",
        "history.json",
    }
    assert not checkpoint.with_name("checkpoint-state").exists()
    classes = PreparedData(data).classes
    described, run, history = (read(checkpoint / f"{name}.json") for name in ("model", "run", "history"))
    assert described["family"] == "fcn"
    assert described["network"] == PARAMS.network.model_dump(mode="json")
    assert described["classes"] == list(classes.names)
    assert described["palette"] == [list(colour) for colour in classes.palette]
    assert described["data"] == sha256_file(data / "dataset.json")
    assert run["run_id"] is None
    assert run["experiment"] == "fcn"
    assert run["fingerprint"] == described["fingerprint"]
    assert run["parts"]["parameters"] == PARAMS.model_dump(mode="json")
    assert set(run["parts"]) == {"parameters", "data", "code", "environment"}
    assert [row["epoch"] for row in history] == [1, 2]
    scores = {"val/mean_iu", "val/pixel_accuracy", "val/mean_accuracy", "val/frequency_weighted_iu"}
    assert all(scores | {"train/loss", "learning_rate", "images_per_second"} <= set(row) for row in history)


def test_the_kept_weights_score_what_the_best_epoch_says(checkpoint, data):
    _, net = load_trained(checkpoint)
    prepared = PreparedData(data)
    task = fcn.make_task(prepared, PARAMS)
    best = max(row["val/mean_iu"] for row in read(checkpoint / "history.json"))
    assert task.score(net)["val/mean_iu"] == pytest.approx(best, abs=1e-6)


def raise_changed():
    raise InputsChangedError("fcn.train.epochs was changed while the stage ran")


def test_training_twice_gives_the_same_bytes_even_if_killed_or_refused(data, checkpoint, tmp_path, monkeypatch):
    loss, calls = fcn.StillImageTask.loss, []

    def killed(self, net, batch):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return loss(self, net, batch)

    monkeypatch.setattr(fcn.StillImageTask, "loss", killed)
    out = tmp_path / "again"
    with pytest.raises(KeyboardInterrupt):
        train_fcn(data, out)
    assert not out.exists()
    with monkeypatch.context() as edited:
        edited.setattr(trainer, "require_unchanged", raise_changed)
        with pytest.raises(InputsChangedError):
            train_fcn(data, out)
    assert not out.exists()
    report = train_fcn(data, out)
    for name in ("weights.safetensors", "model.json", "run.json"):
        assert (out / name).read_bytes() == (checkpoint / name).read_bytes(), name
    assert len(calls) == 4 + 2
    assert f"pixelwise export --section fcn.export --model {out}" in str(report)


def test_training_on_missing_data_is_an_error_of_one_line_and_leaves_nothing(tmp_path):
    message = one_line(lambda: train_fcn(tmp_path / "nowhere", tmp_path / "out"), DataError)
    assert str(tmp_path / "nowhere") in message
    assert list(tmp_path.iterdir()) == []


def test_training_on_a_missing_split_names_those_that_there_are(data, tmp_path):
    params = PARAMS.model_copy(update={"val_split": "validation"})
    message = one_line(lambda: train_fcn(data, tmp_path / "out", params), DataError)
    assert "no split validation" in message
    assert "train, val, test" in message


def test_training_with_an_unknown_backbone_or_family_is_an_error_of_one_line(data, tmp_path):
    network = PARAMS.network.model_copy(update={"backbone": "effnet"})
    params = PARAMS.model_copy(update={"network": network})
    assert "effnet" in one_line(lambda: train_fcn(data, tmp_path / "out", params), ModelError)
    state = tmp_path / "state"
    act = lambda: train.run(PARAMS, "fnc", data, tmp_path / "out", state, tracking="none")  # noqa: E731
    assert "expected one of clockwork, composition, fcn, guided" in one_line(act, ParamsError)


def test_the_saved_weights_are_those_of_the_net_and_nothing_else(checkpoint):
    described, net = load_trained(checkpoint)
    tensors, _ = load_tensors(checkpoint / "weights.safetensors")
    assert tensors.keys() == net.state_dict().keys()
    assert not net.training
    assert next(iter(net.fusion.score)).weight.shape[0] == len(described["classes"])


def test_a_training_removes_its_state_and_nothing_else_of_that_folder(data, tmp_path):
    state = tmp_path / "state"
    (state / "0123456789abcdef").mkdir(parents=True)
    (state / "precious.txt").write_text("mine")
    train_fcn(data, tmp_path / "out", state=state)
    assert [file.name for file in state.iterdir()] == ["precious.txt"]
