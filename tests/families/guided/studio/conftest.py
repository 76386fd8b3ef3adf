"""A studio over a small model and small pictures."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.channel_model import channel_picture, write_channel_model
from support.image_sets import save

from benchmarks.studio_latency import open_browser
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.options import PredictParams
from pixelwise.labelling.suggestions import read_list
from pixelwise.tools import suggest

# Height and width of the suggested pictures.
SIZE = (40, 60)


@pytest.fixture(scope="session")
def guided(guided_folder):
    return GuidedModel(guided_folder, "cpu", 1)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Three pictures of 120×80 pixels: a red disc that moves over noise."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(3):
        picture = Image.fromarray(rng.integers(60, 140, (80, 120, 3), dtype=np.uint8))
        left = 20 + 20 * number
        ImageDraw.Draw(picture).ellipse((left, 20, left + 40, 60), fill=(220, 40, 40))
        picture.save(folder / f"disc {number}.png")
    return folder


@pytest.fixture(scope="session")
def suggested(tmp_path_factory):
    """Four pictures of coloured blocks in two folders, suggested with their labels."""
    folder = tmp_path_factory.mktemp("suggested")
    for seed in range(4):
        save(Image.fromarray(channel_picture(seed, SIZE)[0]), folder / f"pictures/camera{seed % 2}/{seed}.png")
    model = write_channel_model(folder / "fcn")
    suggest.run(PredictParams(), [folder / "pictures"], model, folder / "out")
    return read_list(folder / "out")


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser
