"""A scan of 108 megapixels is labelled within 4 GB by the exports of the families."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from support.clockwork_model import picture

from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession

WIDTH, HEIGHT = 12_000, 9_000
GIBIBYTES = 4
MEASURED = """
import resource, sys
from pixelwise.tools import predict
predict.main(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A picture of coloured blocks, enlarged."""
    file = tmp_path_factory.mktemp("scan") / "scan.jpg"
    Image.fromarray(picture(3, (90, 120))).resize((WIDTH, HEIGHT)).save(file, quality=80)
    return file


def click(model, folder):
    """Guidance of two clicks."""
    session = GuidedSession(GuidedModel(model, "cpu"))
    session.click(session.add_picture(picture(3)), 20, 20)
    session.click(0, 100, 60, way=0)
    session.save(folder / "task.npz")
    return ["--guidance", folder / "task.npz"]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["clockwork_model", "guided_folder"])
def test_a_scan_of_108_megapixels_takes_less_than_4_gigabytes(family, scan, tmp_path, request):
    model = request.getfixturevalue(family)
    options = click(model, tmp_path) if family == "guided_folder" else []
    command = [sys.executable, "-c", MEASURED, "--model", model, *options, scan, "--output", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < GIBIBYTES
    label = np.asarray(Image.open(tmp_path / "out" / "scan.label.png"))
    assert label.shape == (HEIGHT, WIDTH)
    assert len(np.unique(label)) > 1
