"""A studio over a small model and small pictures."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pixelwise.families.guided.runtime.guided_model import GuidedModel


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
