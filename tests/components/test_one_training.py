"""What a step makes of a model whose files are of two trainings: nothing, in one line."""

import json

import pytest
from support.channel_model import write_channel_model

from components import benchmark, evaluate, quantize, register
from pixelwise.errors import ModelError
from pixelwise.families.options import EvaluateParams

STEPS = {
    "register": lambda model, data, out: register.run("fcn", model, out),
    "evaluate": lambda model, data, out: evaluate.run(EvaluateParams(), model, out=out, data=data),
    "quantize": lambda model, data, out: quantize.run(quantize.QuantizeParams(), model, data, out),
    "benchmark": lambda model, data, out: benchmark.run(benchmark.BenchmarkParams(), model, out),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_refuses_a_new_training_beside_the_graph_of_the_old_one(tiny_town, tmp_path, monkeypatch, step):
    monkeypatch.chdir(tmp_path)
    model = write_channel_model(tmp_path / "fcn", fingerprint="old")
    (model / "checkpoint").mkdir()
    (model / "checkpoint/run.json").write_text(json.dumps({"fingerprint": "new"}))
    with pytest.raises(
        ModelError, match=r"run\.json: found fingerprint new, expected old of .*; export the model again"
    ):
        STEPS[step](model, tiny_town, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["fcn"]
