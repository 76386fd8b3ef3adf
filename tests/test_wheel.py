"""The wheel: what is in it, and that it predicts and serves with what its extra `serve` declares."""

import subprocess
import zipfile

import numpy as np
import pytest
from PIL import Image
from support.channel_model import channel_picture, write_channel_model
from support.wheel import PROJECT, build_wheel, link_declared, run_isolated, unpack

COMMAND = "from pixelwise.cli import main; main()"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """The packages of the wheel and of its extra `serve`."""
    folder = unpack(wheel, tmp_path_factory.mktemp("site"))
    link_declared(folder, "serve")
    return folder


def test_the_wheel_has_every_file_of_the_library_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "pixelwise"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert inside == {name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()}


def test_importing_the_library_needs_the_standard_library_alone(wheel, tmp_path):
    bare = unpack(wheel, tmp_path / "site")
    done = run_isolated(bare, "import pixelwise; print(pixelwise.__all__)", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "open_model" in done.stdout


def test_serve_brings_neither_torch_nor_dvc_nor_prefect(site):
    brought = {path.name for path in site.iterdir()}
    assert {"numpy", "onnxruntime", "fastapi", "av", "cv2"} <= brought
    assert brought & {"torch", "dvc", "prefect", "mlflow", "great_expectations", "pyarrow", "components"} == set()


def test_predict_runs_with_the_packages_of_serve(site, tmp_path):
    model = write_channel_model(tmp_path / "model")
    image, label = channel_picture(0, (24, 32))
    Image.fromarray(image).save(tmp_path / "street.png")
    done = run_isolated(
        site, COMMAND, "predict", "--model", str(model), "street.png", "--output", "predictions", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (np.asarray(Image.open(tmp_path / "predictions/street.label.png")) == label).all()
