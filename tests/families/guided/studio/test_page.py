"""The studio's page in a headless Chromium, with real clicks."""

import json
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image
from support.chromium import needs_chromium

from benchmarks.studio_latency import click, open_page
from pixelwise.families.guided.studio.desk import Desk
from pixelwise.families.guided.studio.server import serve_in_thread

pytestmark = needs_chromium


@pytest.fixture
def output(tmp_path):
    return tmp_path / "saved"


@pytest.fixture
def page(browser, guided, guided_folder, output):
    with serve_in_thread(Desk(guided), guided_folder, output) as address, open_page(browser, address) as found:
        found.faults = []
        found.on("pageerror", lambda error: found.faults.append(str(error)))
        yield found
        assert found.faults == []


def drop(page, folder, count=3):
    page.set_input_files("#files", sorted(folder.iterdir())[:count])
    page.wait_for_selector("#stage:not([hidden])")


def mask(page):
    return page.evaluate("document.getElementById('mask').hidden ? null : document.getElementById('mask').src")


def dots(page):
    return page.locator("#dots circle").count()


def test_a_mask_appears_on_the_first_click_changes_on_the_next_and_undo_brings_it_back(page, pictures):
    drop(page, pictures)
    assert mask(page) is None
    click(page, 40 / 120, 40 / 80)
    first = mask(page)
    assert first.startswith("data:image/png")
    # A click on the object, which any net obeys.
    click(page, 0.9, 0.1)
    assert mask(page) != first
    assert dots(page) == 2
    page.keyboard.press("Control+z")
    page.wait_for_function("document.querySelectorAll('#dots circle').length === 1")
    page.wait_for_function("source => document.getElementById('mask').src === source", arg=first)


def test_the_next_picture_has_a_mask_by_the_clicks_on_the_first(page, pictures):
    drop(page, pictures)
    click(page, 40 / 120, 40 / 80)
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.getElementById('name').textContent.startsWith('disc 1.png')")
    page.wait_for_selector("#mask:not([hidden])")
    assert dots(page) == 0


def test_a_click_on_a_dot_takes_it_back(page, pictures):
    drop(page, pictures, 1)
    click(page, 0.4, 0.5)
    click(page, 0.8, 0.2, is_negative=True)
    click(page, 0.4, 0.5)
    assert dots(page) == 1


def test_classes_are_added_by_name_and_their_clicks_and_masks_saved(page, pictures, output):
    drop(page, pictures, 2)
    click(page, 40 / 120, 40 / 80)
    page.fill("#class-name", "noise")
    page.keyboard.press("Enter")
    page.wait_for_selector("#classes button:nth-child(3)[aria-checked=true]")
    click(page, 0.05, 0.05)
    page.click("#save")
    page.wait_for_selector("#note code:not(:empty)")
    assert "pixelwise predict" in page.text_content("#note code")
    clicks = json.loads((output / "clicks.json").read_text())["disc 0.png"]
    assert [name for *_, name in clicks] == ["object", "noise"]
    assert abs(clicks[0][0] - 40) <= 1
    assert abs(clicks[0][1] - 40) <= 1
    for number in range(2):
        assert np.asarray(Image.open(output / f"disc {number}.label.png")).shape == (80, 120)
    assert (output / "guidance.npz").is_file()


def test_a_folder_that_is_dropped_is_read_through(page, pictures):
    files = [{"name": path.name, "bytes": list(path.read_bytes())} for path in sorted(pictures.iterdir())[:2]]
    page.evaluate(
        """files => {
            const entry = (file) => ({ isFile: true, fullPath: `/pictures/${file.name}`, file: (found) =>
                found(new File([new Uint8Array(file.bytes)], file.name)) });
            let left = [files.map(entry), []];
            const folder = { isFile: false, createReader: () => ({ readEntries: (found) => found(left.shift()) }) };
            const event = new Event("drop", { cancelable: true });
            event.dataTransfer = { items: [{ webkitGetAsEntry: () => folder }] };
            dispatchEvent(event);
        }""",
        files,
    )
    page.wait_for_function("document.querySelectorAll('#strip button').length === 2")
    page.wait_for_selector("#stage:not([hidden])")


def test_what_is_no_picture_is_named_and_the_rest_is_taken(page, pictures, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    page.set_input_files("#files", [tmp_path / "notes.txt", pictures / "disc 0.png"])
    page.wait_for_selector("#note.bad:not([hidden])")
    assert "notes.txt" in page.text_content("#note")
    page.wait_for_selector("#stage:not([hidden])")


def test_no_request_leaves_loopback(browser, guided, guided_folder, output, pictures):
    with serve_in_thread(Desk(guided), guided_folder, output) as address, open_page(browser, "about:blank") as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        drop(page, pictures)
        click(page, 0.4, 0.5)
    assert len(asked) > 8
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def test_another_sites_page_is_refused(guided, guided_folder, output):
    with serve_in_thread(Desk(guided), guided_folder, output) as address:
        request = urllib.request.Request(f"{address}api/undo", b"", {"Origin": "http://elsewhere.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
