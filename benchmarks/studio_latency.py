"""Time from a click to the drawn mask in the studio, in headless Chromium: `python -m benchmarks.studio_latency`."""

import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt

from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.studio.desk import Desk
from pixelwise.families.guided.studio.server import serve_in_thread
from pixelwise.inference.session import Provider
from pixelwise.params import Params
from pixelwise.timing import describe_machine, measure_spread

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

# Flags against network requests and dialogs of a fresh profile.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWPORT: "ViewportSize" = {"width": 1280, "height": 800}
WARM_UP = 5
# Time limit of each browser operation in milliseconds, for a busy machine.
PATIENCE = 180_000


class LatencyParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="execution provider of ONNX Runtime")
    clicks: PositiveInt = Field(40, description="measured clicks")


@dataclass(frozen=True)
class Latency:
    """Milliseconds from each click event to the frame that shows its mask."""

    milliseconds: Sequence[float]
    picture: str

    def __str__(self) -> str:
        turns = f"{len(self.milliseconds)} clicks after {WARM_UP} to warm up; median (p10–p90)"
        time = f"click to picture {measure_spread(self.milliseconds):.0f} ms"
        return f"{describe_machine()}\n{self.picture}, {turns}\n{time}"


def run(
    params: LatencyParams,
    picture: Annotated[Path, "picture to click on"],
    model: Annotated[Path, "folder of the exported guided model"] = Path("models/guided"),
) -> Latency:
    """Click at random places of a picture in the page, positives and negatives in turn.

    Raises DataError where there is no Chromium or Playwright, ModelError where the model is not a guided one.
    """
    with (
        TemporaryDirectory() as output,
        serve_in_thread(Desk(GuidedModel(model, params.provider)), model, Path(output)) as address,
        open_browser() as browser,
        open_page(browser, address) as page,
    ):
        page.set_input_files("#files", picture)
        page.wait_for_selector("#stage:not([hidden])")
        rng = random.Random(0)  # noqa: S311
        for number in range(WARM_UP + params.clicks):
            click(page, rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), is_negative=number % 2 == 1)
        return Latency(page.evaluate("window.clickTimes")[WARM_UP:], picture.name)


def click(page: "Page", x: float, y: float, is_negative: bool = False) -> None:
    """Click at (x, y) of the picture, each 0–1, with the browser's mouse, and wait for the mask."""
    box, before = page.locator("#stage").bounding_box(), page.evaluate("window.clickTimes.length")
    assert box
    place = box["x"] + x * box["width"], box["y"] + y * box["height"]
    page.mouse.click(*place, button="right" if is_negative else "left")
    page.wait_for_function("count => window.clickTimes.length > count", arg=before)


@contextmanager
def open_browser() -> Iterator["Browser"]:
    """A headless Chromium, which keeps nothing on disk.

    Raises DataError where Chromium or Playwright is missing.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise DataError("playwright: not installed, expected its Python package; it drives the browser") from None
    if not program:
        raise DataError("chromium: not found on the PATH, expected a Chromium that Playwright can drive")
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=program, args=FLAGS) as browser:
        yield browser


@contextmanager
def open_page(browser: "Browser", address: str) -> Iterator["Page"]:
    """The page at `address`, in a profile of its own."""
    with browser.new_page(viewport=VIEWPORT) as page:
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.wait_for_load_state("networkidle")
        yield page


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    from pixelwise import command

    command.main(run, argv=argv)


if __name__ == "__main__":
    main(sys.argv[1:])
