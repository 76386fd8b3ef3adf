"""Curves of guidance: what of the scores is drawn where."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import guided_curves
from pixelwise.errors import DataError


def scores(shots: int, points: int | None, positive_iu: float) -> dict:
    floor = {"positive_iu": 0.1}
    return {
        "shots": shots,
        "points": points,
        "positive_iu": positive_iu,
        "foreground_background": floor,
        "mean_iu": 0.5,
        "tasks": 65,
    }


FOUND = [scores(1, None, 0.3), scores(5, 5, 0.4), scores(1, 5, 0.2), scores(2, None, 0.5), scores(1, 20, 0.25)]


def test_curves_run_from_few_points_to_dense_and_from_few_shots_to_many(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        guided_curves,
        "draw_line",
        lambda _, places, line, label: drawn.append((label, list(places), [row["positive_iu"] for row in line])),
    )
    guided_curves.draw(FOUND, tmp_path / "curves.png")
    assert drawn == [
        ("one picture", ["5", "20", "dense"], [0.2, 0.25, 0.3]),
        ("5 points a class", [0, 2], [0.2, 0.4]),
        ("dense masks", [0, 1], [0.3, 0.5]),
    ]


def test_curves_are_a_picture_with_lines_and_their_numbers_beside_it(tmp_path):
    for place, found in enumerate(FOUND):
        (tmp_path / f"{place}.json").write_text(json.dumps({**found, "per_category": {}}))
    guided_curves.main(
        [*(str(tmp_path / f"{place}.json") for place in range(5)), "--out", str(tmp_path / "curves.png")]
    )
    with Image.open(tmp_path / "curves.png") as picture:
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    # Matplotlib's first two lines.
    assert {(31, 119, 180), (255, 127, 14)} <= set(map(tuple, colours.tolist()))
    assert json.loads((tmp_path / "curves.json").read_text()) == FOUND


def test_scores_of_clips_are_refused(tmp_path):
    (tmp_path / "clips.json").write_text(json.dumps({"mean_j": 0.8}))
    with pytest.raises(DataError, match=r"clips\.json: found no foreground_background"):
        guided_curves.run([tmp_path / "clips.json"], tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
