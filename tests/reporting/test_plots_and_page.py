"""Plots are made whatever the numbers, and pages say what they are given."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from pixelwise.reporting import html_page, plots

NAN = float("nan")


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(png)) as picture:
        picture.load()
        return picture.size


@pytest.mark.parametrize("classes", [1, 2, 11, 40])
def test_plots_are_made_for_few_and_many_classes(classes):
    names = [f"class {index}" for index in range(classes)]
    palette = [(index, 100, 50) for index in range(classes)]
    counts = np.diag(np.arange(classes)) + 1
    assert min(size_of(plots.plot_confusion(counts, names))) > 400
    assert min(size_of(plots.plot_per_class([0.5] * classes, 0.5, names, palette))) > 200


def test_absent_classes_and_empty_rows_are_drawn():
    counts = np.array([[3, 0], [0, 0]])
    assert size_of(plots.plot_confusion(counts, ["ground", "thing"]))
    assert size_of(plots.plot_per_class([1.0, NAN], 1.0, ["ground", "thing"], [(0, 0, 0), (9, 9, 9)]))


def test_equal_plots_are_equal_bytes():
    counts = np.array([[3, 1], [0, 2]])
    assert plots.plot_confusion(counts, ["a", "b"]) == plots.plot_confusion(counts, ["a", "b"])


def test_curves_have_a_panel_for_each_kind_of_number_there_is():
    history = [
        {"epoch": 1, "train/loss": 2.0, "learning_rate": 0.1},
        {"epoch": 2, "train/loss": 1.0, "val/loss": 1.5, "val/mean_iu": 0.4, "learning_rate": 0.05, "seconds": 3},
    ]
    assert plots.choose_panels(history) == {
        "Loss": ["train/loss", "val/loss"],
        "Validation scores": ["val/mean_iu"],
        "Learning rate": ["learning_rate"],
    }
    assert size_of(plots.plot_curves(history))


def test_a_page_shows_names_as_text_and_never_as_markup():
    text = html_page.render_page(
        "<b>",
        "a & b",
        [
            html_page.render_facts({"<i>": "<u>"}),
            html_page.render_patch("<s>", (1, 2, 3)),
            html_page.render_cards({"<p>": "1"}),
        ],
    )
    for tag in ("<b>", "<i>", "<u>", "<s>", "<p>"):
        assert tag not in text.replace("<b>1</b>", "")
    assert "a &amp; b" in text


def test_nested_facts_are_named_by_their_path_and_nothing_is_left_out_but_lists_and_nulls():
    nested = {"parity": 0.9999, "graph": {"file_bytes": 3, "sizes": [1, 2], "note": None}, "offered": True}
    assert html_page.flatten_facts(nested) == {"parity": 0.9999, "graph file bytes": 3, "offered": True}
