"""From a click to the picture, on the studio's page in a headless Chromium: `python -m components.clicking.latency`."""

import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt

from components.clicking.server import served
from components.errors import DataError
from components.params import Params
from components.runtime.guided import GuidedModel
from components.runtime.session import Provider

if TYPE_CHECKING:
    from playwright.sync_api import Page

# A browser without a profile that asks nobody anything.
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
WARM_UP = 5


class LatencyParams(Params):
    """Options only."""

    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    clicks: PositiveInt = Field(40, description="clicks that count")
    between: int = Field(8, ge=1, description="clicks after which all are taken back")


@dataclass(frozen=True)
class Latency:
    """Milliseconds from each click's event to the frame that shows its mask."""

    milliseconds: Sequence[float]
    picture: str

    def __str__(self) -> str:
        tenths = quantiles(self.milliseconds, n=10)
        return (
            f"{self.picture}: click to picture {tenths[4]:.0f} ms, p10 {tenths[0]:.0f}, p90 {tenths[8]:.0f}; "
            f"{len(self.milliseconds)} clicks after {WARM_UP} to warm up"
        )


def run(
    params: LatencyParams,
    picture: Annotated[Path, "picture to click on"],
    model: Annotated[Path, "folder of the exported guided model"] = Path("models/guided"),
) -> Latency:
    """Click on a picture in the page, positives and negatives in turn, at random places.

    Raises DataError where there is no Chromium or Playwright, ModelError where the model is not a guided one.
    """
    with (
        TemporaryDirectory() as output,
        served(GuidedModel(model, params.provider), model, Path(output)) as address,
        browsing(address) as page,
    ):
        page.set_input_files("#files", picture)
        page.wait_for_selector("#stage:not([hidden])")
        box, rng = page.locator("#stage").bounding_box(), random.Random(0)  # noqa: S311
        assert box
        for number in range(WARM_UP + params.clicks):
            x, y = box["x"] + rng.uniform(0.1, 0.9) * box["width"], box["y"] + rng.uniform(0.1, 0.9) * box["height"]
            page.mouse.click(x, y, button="right" if number % 2 else "left")
            page.wait_for_function("count => window.clickTimes.length > count", arg=number)
        return Latency(page.evaluate("window.clickTimes")[WARM_UP:], picture.name)


@contextmanager
def browsing(address: str, width: int = 1280, height: int = 800) -> Iterator["Page"]:
    """The page at `address` in a headless Chromium with a profile of its own. Raises DataError where there is none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise DataError("playwright: not installed, expected its Python package; it drives the browser") from None
    if not program:
        raise DataError("chromium: not found on the PATH, expected a Chromium that Playwright can drive")
    with TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, headless=True, args=FLAGS, viewport={"width": width, "height": height}
        )
        try:
            page = context.pages[0]
            page.goto(address)
            page.wait_for_load_state("networkidle")
            yield page
        finally:
            context.close()


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    from components import step

    step.main(run, argv=argv)


if __name__ == "__main__":
    main(sys.argv[1:])
