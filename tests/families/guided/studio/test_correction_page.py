"""Suggested labels corrected in a headless Chromium, with real drags of the mouse."""

import numpy as np
import pytest
from PIL import Image
from support.chromium import needs_chromium

from benchmarks.studio_latency import click, open_page
from pixelwise.families.guided.studio.correction import Correction
from pixelwise.families.guided.studio.server import serve_in_thread

pytestmark = needs_chromium


@pytest.fixture
def desk(suggested):
    return Correction(suggested, None)


@pytest.fixture
def page(browser, desk, tmp_path):
    with serve_in_thread(desk, tmp_path, tmp_path / "corrected") as address, open_page(browser, address) as found:
        found.faults = []
        found.on("pageerror", lambda error: found.faults.append(str(error)))
        found.wait_for_selector("#mask:not([hidden])")
        yield found
        assert found.faults == []


def drag(page, start, end):
    """Drag from one place of the picture to another, each (x, y) in 0–1, and wait for the new mask."""
    box, before = page.locator("#stage").bounding_box(), page.evaluate("document.getElementById('mask').src")
    (left, top), (right, bottom) = [
        (box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)
    ]
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(right, bottom, steps=5)
    page.mouse.up()
    page.wait_for_function("before => document.getElementById('mask').src !== before", arg=before)


def test_a_drag_paints_a_press_takes_an_area_and_what_was_seen_is_saved(page, desk, suggested, tmp_path):
    first = desk.pictures[0].decode().argmax(axis=2)
    assert page.text_content("#name").startswith(suggested.pictures[0][1])
    page.evaluate("document.getElementById('radius').value = 2")
    page.keyboard.press("2")
    drag(page, (0.2, 0.5), (0.8, 0.5))
    assert (desk.labels[0][20, 14:47] == 2).all()
    y, x = np.argwhere(desk.labels[0][:10] == 1)[0].tolist()
    page.keyboard.press("0")
    click(page, (x + 0.5) / 60, (y + 0.5) / 40)
    assert desk.labels[0][y, x] == 0
    page.keyboard.press("Control+z")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "name => document.getElementById('name').textContent.startsWith(name)", arg=desk.pictures[1].name
    )
    page.click("#save")
    page.wait_for_selector("#note code:not(:empty)")
    assert "pixelwise ingest --dataset folder" in page.text_content("#note code")
    masks = sorted((tmp_path / "corrected/masks").rglob("*.png"))
    assert len(masks) == 2
    saved = np.asarray(Image.open(tmp_path / "corrected/masks" / desk.pictures[0].name))
    assert saved[y, x] == 1
    assert (saved[20, 14:47] == 2).all()
    assert (saved[26:] == first[26:]).all()
