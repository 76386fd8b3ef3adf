"""The latency of the studio, measured in a headless Chromium."""

import numpy as np
from PIL import Image
from support.chromium import needs_chromium

from benchmarks.studio_latency import LatencyParams, run


@needs_chromium
def test_the_time_from_click_to_picture_is_reported(guided_folder, tmp_path):
    noise = np.random.default_rng(0).integers(60, 140, (80, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    found = run(LatencyParams(clicks=3), tmp_path / "noise.png", guided_folder)
    assert len(found.milliseconds) == 3
    assert "click to picture" in str(found)
