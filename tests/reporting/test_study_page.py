"""Charts and sheets of studies are made whatever was measured."""

import re
from io import BytesIO

import numpy as np
from PIL import Image

from pixelwise.params import parse
from pixelwise.reporting.comparison_sheet import COLUMNS, SheetRow, draw_sheet
from pixelwise.studies import plots
from pixelwise.studies.outcome import Outcome, judge_study
from pixelwise.studies.pages import render_study
from pixelwise.studies.records import Figures, Measured, Point, Run
from pixelwise.studies.study import Study

C = {
    "name": "c",
    "overrides": {"network": {"strides": [32]}, "epochs": 2},
    "evaluate": {"augment": {"masking": "shape"}},
}


def outcome(is_curved: bool = False) -> Outcome:
    """Three variants: two seeds, one seed, nothing measured."""
    values = {
        "name": "some",
        "title": "Some <b>",
        "thesis": "§2",
        "claim": "a & b",
        "data": "VOC: fetch it",
        "columns": ["mean_iu"],
        "curves": is_curved,
        "variants": [{"name": "a", "thesis": {"mean_iu": 63.6}}, {"name": "b", "note": "x < y"}, C],
        "trend": [{"better": "a", "worse": "b"}, {"better": "b", "worse": "c"}],
        "remarks": {"town": "Too few pixels.", "voc": "Too many classes."},
    }
    study = parse(Study, values, "some")
    line = tuple(Point(iteration=step, seconds=step / 2, loss=1 / step) for step in (1, 2))
    runs = [[Run(seed=seed, scores={"mean_iu": 0.5 + seed / 10}, curve=line) for seed in range(n)] for n in (2, 1)]
    runs.append([Run(seed=0, scores={}, remark="weights not at hand")])
    rows = tuple(
        Figures(name=variant.name, runs=tuple(found)) for variant, found in zip(study.variants, runs, strict=True)
    )
    return judge_study(
        study,
        Measured(
            dataset="town",
            data_sha256="0" * 64,
            split="val",
            images={"train": 1000, "val": 2},
            command="pixelwise study some",
            is_quick=False,
            parameters={"epochs": 3, "network": {"scale": 1.0, "strides": [32, 16]}},
            rows=rows,
        ),
    )


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(png)) as picture:
        return picture.size


def test_a_chart_has_a_place_for_every_variant_whatever_was_measured():
    found = outcome()
    fewer = Outcome(found.study, found.measured, found.rows[:2], found.trend)
    (width, height), (same, less) = (size_of(plots.draw_chart(one)) for one in (found, fewer))
    assert width == same
    # Of the least height, two rows and three.
    assert height > less


def test_curves_are_drawn_of_the_variants_that_have_them():
    assert plots.draw_chart(outcome(is_curved=True)) != plots.draw_chart(outcome())
    line = [outcome(is_curved=True).rows[row].runs[0].curve for row in range(3)]
    assert [len(points) for points in line] == [2, 2, 0]
    assert plots.average_curves([line[0], line[1][:1]]) == [line[0][0]]
    assert plots.average_curves([]) == []


def test_equal_charts_are_equal_bytes():
    assert plots.draw_chart(outcome()) == plots.draw_chart(outcome())


def test_the_page_says_what_is_missing_and_why_the_figures_are_as_they_are():
    found = outcome()
    page = render_study(found, b"", None)
    assert "weights not at hand" in page
    assert "Too few pixels." in page
    assert "Too many classes." not in page
    assert "55.0 ± 7.1" in page
    assert "Some &lt;b&gt;" in page
    assert "x &lt; y" in page
    assert "<dt>data</dt><dd>town (1,000 train, 2 val)</dd>" in page
    assert "<dt>meant for</dt><dd>VOC: fetch it</dd>" in page
    assert "network.strides: [32], epochs: 2; scored with augment.masking: shape" in page
    assert "<dt>network.strides</dt><dd>[32, 16]</dd>" in page
    assert not re.search("https?:", page)
    assert found.verdict == "1 of 2: undecided: one seed, 1 of 2: not measured"
    assert "<dt>commit</dt><dd>not recorded</dd>" in page


def test_a_page_of_one_seed_says_so_at_every_verdict():
    found = outcome()
    rows = tuple(Figures(name=row.name, runs=row.runs[:1]) for row in found.rows)
    one = judge_study(found.study, found.measured.model_copy(update={"rows": rows}))
    page = render_study(one, b"", None)
    assert "<b>undecided: one seed</b>" in page
    assert "<b>not measured</b>" in page
    assert "The spread over seeds is unknown." in page


def test_a_sheet_has_as_many_lines_as_its_tiles_need():
    tile = np.zeros((30, 40, 3), np.uint8)

    def height(tiles: int) -> int:
        row = SheetRow("a picture", [(str(number), tile) for number in range(tiles)])
        return draw_sheet([row], [("road", (1, 2, 3))]).height

    assert height(COLUMNS) == height(2)
    assert height(COLUMNS + 1) > height(COLUMNS)
