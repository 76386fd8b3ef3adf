"""How the masks of a data set are read is decided once, from all of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.image_sets import mask, png
from support.masks import COLOURS, LABEL, jpeg, with_palette

from pixelwise.data.class_file import ClassFile
from pixelwise.data.decoding import decode
from pixelwise.data.items import VOID
from pixelwise.data.mask_file import read_mask
from pixelwise.data.mask_survey import plan_masks
from pixelwise.data.notes import Notes
from pixelwise.errors import DataError

FILE = Path("mine/classes.yaml")
NAMES = ["ground", "sky", "box"]
COLOURED = {"names": NAMES, "colours": COLOURS.tolist()}
OBJECT = np.where(LABEL == 1, 255, 0).astype(np.uint8)


def plan(contents, **described):
    notes = Notes()
    masks = [(f"masks/{number}.png", content) for number, content in enumerate(contents)]
    return plan_masks(masks, ClassFile(**described), FILE, notes), notes.lines()


def label(content, planned):
    values = read_mask(content, decode(content, 10**6), planned.rule)
    table = np.full(256, 99)
    table[list(planned.label_values)] = list(planned.label_values.values())
    return table[values]


def test_masks_of_one_channel_are_read_by_value_and_the_note_says_what_255_is():
    planned, lines = plan([png(Image.fromarray(LABEL))], names=NAMES)
    assert planned.label_values == {0: 0, 1: 1, 2: 2, 255: VOID}
    assert lines == ["masks are read by value: classes 0–2 and 255 (void)"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_decide_for_colour_and_palettes_in_any_order(mode):
    order = [2, 0, 1]
    shown = with_palette(np.argsort(order).astype(np.uint8)[LABEL], COLOURS[order])
    content = png(shown if mode == "P" else shown.convert(mode))
    planned, lines = plan([content], **COLOURED, void_colours=[[0, 0, 0]])
    assert (label(content, planned) == LABEL).all()
    assert planned.rule.colours[0, 0, 0] == VOID
    assert lines == ["masks are read by the colours in classes.yaml"]


def test_a_grey_mask_beside_masks_in_colour_is_read_by_colour_too():
    grey, colours = png(Image.new("L", (32, 24), 7)), [[7, 7, 7], [1, 2, 3]]
    planned, _ = plan([png(Image.new("RGB", (32, 24), (1, 2, 3))), grey], names=["a", "b"], colours=colours)
    assert (label(grey, planned) == 0).all()


def test_colours_are_for_show_where_masks_are_grey_or_values_are_given():
    grey = png(Image.fromarray(LABEL))
    assert plan([grey], **COLOURED)[0].rule.colours == {}
    palette = png(with_palette(LABEL, COLOURS[[1, 2, 0]]))
    assert plan([palette], **COLOURED, values=dict(enumerate(NAMES)))[0].rule.colours == {}


def test_a_colour_of_two_classes_is_refused():
    with pytest.raises(DataError, match=r"found the colour \[1, 2, 3\] twice, expected one for each"):
        plan([png(Image.fromarray(COLOURS[LABEL]))], names=["a", "b"], colours=[[1, 2, 3], [1, 2, 3]])


def test_palettes_in_different_orders_without_colours_are_refused():
    masks = [png(with_palette(LABEL, COLOURS[order])) for order in ([0, 1, 2], [0, 2, 1])]
    with pytest.raises(DataError) as error:
        plan(masks, names=NAMES)
    assert str(error.value) == (
        "masks masks/0.png and masks/1.png: index 1 is the colour [70, 130, 180] in one and [220, 20, 60] in the "
        "other, expected one palette, or the colours of the classes in classes.yaml"
    )


def test_palettes_that_differ_in_unused_colours_are_one():
    longer = png(with_palette(np.minimum(LABEL, 1), [*COLOURS[:2], [9, 9, 9]]))
    assert plan([png(with_palette(LABEL, COLOURS)), longer], names=NAMES)[0].rule.colours == {}


@pytest.mark.parametrize(
    ("pixels", "white"), [(OBJECT, 255), (OBJECT.astype(np.uint16) * 257, 65535), (OBJECT // 255, 1)], ids=str
)
def test_one_class_is_the_white_object_on_a_background(pixels, white):
    content = png(Image.fromarray(pixels))
    planned, lines = plan([content, png(Image.new("L", (32, 24), 0))], names=["box"])
    assert planned.classes.names == ("background", "box")
    assert planned.label_values == {0: 0, white: 1}
    assert lines == [f"masks are black and white: 0 is background, {white} is box, not unlabelled"]


def test_two_classes_are_black_and_white():
    planned, _ = plan([png(Image.fromarray(OBJECT))], names=["road", "box"])
    assert (planned.classes.names, planned.label_values) == (("road", "box"), {0: 0, 255: 1})


def test_255_is_void_where_any_mask_has_class_1():
    masks = [png(Image.fromarray(OBJECT)), png(Image.fromarray(OBJECT // 255))]
    planned, lines = plan(masks, names=["road", "box"])
    assert planned.label_values == {0: 0, 1: 1, 255: VOID}
    assert lines == ["masks are read by value: classes 0–1 and 255 (void)"]


def test_soft_edges_and_jpeg_of_one_object_are_cut_and_the_note_says_so():
    soft = Image.fromarray(OBJECT).resize((256, 192), Image.Resampling.BILINEAR)
    for content, truth in (
        (png(soft), np.array(soft) >= 128),
        (jpeg(Image.fromarray(OBJECT).convert("RGB")), OBJECT > 0),
    ):
        planned, lines = plan([content], names=["box"])
        assert (label(content, planned) == truth).mean() > 0.99
        assert lines == [
            "masks are black and white, cut at 128 because of soft edges: 0 is background, 255 is box, not unlabelled"
        ]


def test_values_that_count_from_1_are_refused_even_where_most_masks_lack_the_last():
    first_two = np.where(LABEL == 2, 1, LABEL + 1).astype(np.uint8)
    with pytest.raises(DataError, match="masks have the values 1 to 3 and never 0, expected 0 to 2, or `values` in"):
        plan([png(grey) for grey in map(Image.fromarray, (first_two, first_two, LABEL + 1))], names=NAMES)
    assert plan([png(Image.fromarray(LABEL)), png(Image.fromarray(LABEL + 1))], names=NAMES)[0].label_values[2] == 2


def test_grey_pictures_are_not_masks_of_one_object():
    grey = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)
    assert plan([png(Image.fromarray(grey))], names=["box"])[0].rule.threshold is None


def test_damaged_masks_are_left_to_quarantine():
    assert plan([b"nothing", png(mask(0, 3))[:60]], names=["box"])[0].classes.names == ("box",)
