"""The benchmark of a training step."""

from support.fcn_model import PARAMS

from benchmarks import training_step


def test_each_way_is_timed_against_torchs_own_float32(tiny_town, capsys):
    training_step.run(PARAMS, tiny_town, turns=1, threads=1)
    machine, *lines = capsys.readouterr().out.splitlines()
    assert "1 threads; batch of" in machine
    assert [line[:16].strip() for line in lines] == list(training_step.WAYS)
    assert lines[0].endswith("1.00 (1.00–1.00) times as fast as float32, torch")
