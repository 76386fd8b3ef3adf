"""Quantising a model of several graphs: it is refused before anything is written."""

import pytest

from components import quantize


@pytest.mark.parametrize(("model", "graphs"), [("clockwork_model", 7), ("guided_folder", 4)])
@pytest.mark.covers("quantize", "clockwork", "guided")
def test_a_model_of_several_graphs_is_refused_in_one_line(model, graphs, request, tiny_town, tmp_path, capsys):
    folder = request.getfixturevalue(model)
    with pytest.raises(SystemExit) as ended:
        quantize.main(["--model", str(folder), "--data", str(tiny_town), "--out", str(tmp_path / "int8")])
    said = f"{ended.value}{capsys.readouterr().err}"
    assert f"{folder}: found {graphs} graphs, expected a model of one graph; others have no int8" in said
    assert said.count("\n") <= 1
    assert not (tmp_path / "int8").exists()
