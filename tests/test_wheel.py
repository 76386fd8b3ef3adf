"""The wheel: what is in it, and that it predicts and serves with what its extra `serve` declares."""

import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from importlib.metadata import packages_distributions

import httpx
import numpy as np
import pytest
from packaging.utils import canonicalize_name
from PIL import Image
from support.channel_model import channel_picture, write_channel_model
from support.wheel import PROJECT, build_wheel, declared, isolated, link, unpack
from test_architecture import modules_below, packages_of, runtimes, sources

from pixelwise import cli
from pixelwise.imports import find_imported_files

# Optional decoders of HEIF, which no extra brings, and the engine that the extra `openvino` brings.
OPTIONAL = {"pi_heif", "pillow_heif", "openvino"}
# What is imported and not declared: for models:/ references and masks in MATLAB files; in benchmarks.
BESIDE = {"serve": {"mlflow", "alembic", "sqlalchemy", "requests", "scipy"}, "pipeline": {"playwright"}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def bare(wheel, tmp_path_factory):
    """What the wheel unpacks to."""
    return unpack(wheel, tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """The packages of the wheel and of its extra `serve`."""
    folder = unpack(wheel, tmp_path_factory.mktemp("site"))
    link(folder, declared(folder, "serve"))
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A working folder outside the checkout, with a model and a picture."""
    folder = tmp_path_factory.mktemp("world")
    write_channel_model(folder / "model")
    image, _ = channel_picture(0, (24, 32))
    Image.fromarray(image).save(folder / "street.png")
    return folder


def run(command, world):
    """What a command in `world` ends with."""
    return subprocess.run(command, cwd=world, capture_output=True, text=True, check=False)


@contextmanager
def served(command, world):
    """The address at which the server that `command` starts answers."""
    with subprocess.Popen(command, cwd=world, stderr=subprocess.PIPE, text=True) as server:
        first = server.stderr.readline()
        try:
            yield re.search(r"http://\S+", first)[0]
        finally:
            server.terminate()
        assert server.wait(20) == 0


def require_labels(predict, world):
    """Fail unless `predict` writes the label map of street.png."""
    done = run(predict, world)
    assert done.returncode == 0, done.stderr
    assert (np.asarray(Image.open(world / "predictions/street.label.png")) == channel_picture(0, (24, 32))[1]).all()


def require_answer(address, world):
    """Fail unless a server labels street.png, as a picture and as run lengths."""
    content = (world / "street.png").read_bytes()
    answer = httpx.post(f"{address}/predict", content=content, timeout=20)
    assert answer.status_code == 200, answer.text
    assert httpx.post(f"{address}/predict?output=rle", content=content, timeout=20).json()["size"] == [24, 32]


def test_the_wheel_has_every_file_of_the_library_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "pixelwise"]
    listed = run(command, PROJECT).stdout.splitlines()
    assert inside == {name for name in listed if (PROJECT / name).is_file()}


def test_serve_brings_neither_torch_nor_an_engine_of_the_pipeline(site):
    brought = {path.name for path in site.iterdir()}
    assert {"numpy", "onnxruntime", "fastapi", "av", "cv2"} <= brought
    assert brought & {"torch", "dvc", "prefect", "mlflow", "great_expectations", "components", "flows"} == set()


@pytest.mark.parametrize("extra", ["serve", "pipeline"])
def test_an_extra_brings_every_package_that_its_verbs_import(bare, extra):
    # The runtime and the requests of a family are found by name.
    services = [f"{path.relative_to(PROJECT).as_posix()}/" for path in PROJECT.glob("pixelwise/families/*/service")]
    serving = [*map(cli.find_module, cli.SERVING), *modules_below(*runtimes(), *services, "pixelwise/serving/")]
    files = find_imported_files(serving) if extra == "serve" else sources()
    imported = {name for file in files for name in packages_of(file)} - sys.stdlib_module_names
    imported -= BESIDE[extra] | OPTIONAL
    distributions, brought = packages_distributions(), declared(bare, extra)
    assert {name for name in imported if not set(map(canonicalize_name, distributions[name])) & brought} == set()


def test_the_library_predicts_with_the_packages_of_serve(site, world):
    require_labels(isolated(site, "predict", "--model", "model", "street.png", "--output", "predictions"), world)


def test_the_library_answers_requests_with_the_packages_of_serve(site, world):
    with served(isolated(site, "serve", "model", "--port", "0", "--device", "cpu"), world) as address:
        require_answer(address, world)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["train", "--help"], "train: found no checkout in {world}, expected the folder with dvc.yaml"),
        (["run"], "run: found no checkout in {world}, expected the folder with dvc.yaml"),
        (
            ["serve", "models:/fcn@champion", "--tracking", "http://127.0.0.1:9"],
            "tracking http://127.0.0.1:9: mlflow is not installed, expected the extra pixelwise[pipeline]",
        ),
    ],
)
def test_what_the_installation_lacks_is_named_in_one_line(site, world, argv, message):
    done = run(isolated(site, *argv), world)
    assert (done.returncode, done.stderr) == (1, f"error: {message.format(world=world)}\n")


def test_without_an_extra_a_verb_says_which_one_it_needs(bare, world, tmp_path):
    site = shutil.copytree(bare, tmp_path / "site")
    link(site, declared(bare, ""))
    done = run(isolated(site, "predict", "--help"), world)
    assert done.stderr == "error: predict: onnxruntime is not installed, expected the extra pixelwise[serve]\n"


def test_importing_the_library_needs_the_standard_library_alone(bare, world):
    code = f"import sys; sys.path.append({str(bare)!r}); import pixelwise; assert 'open_model' in pixelwise.__all__"
    assert run([sys.executable, "-I", "-S", "-c", code], world).stderr == ""


@pytest.mark.slow
def test_an_installed_wheel_predicts_and_answers_outside_the_checkout(wheel, world, tmp_path):
    python = tmp_path / "venv/bin/python"
    run(["uv", "venv", "--quiet", "--python", sys.executable, tmp_path / "venv"], world).check_returncode()
    locked = ["--constraint", PROJECT / "requirements.lock"]
    installed = run(["uv", "pip", "install", "--quiet", "--python", python, *locked, f"{wheel}[serve]"], world)
    if "error sending request" in installed.stderr:
        pytest.skip(f"no package index answers: {installed.stderr.splitlines()[0]}")
    assert installed.returncode == 0, installed.stderr
    pixelwise = python.with_name("pixelwise")
    require_labels([pixelwise, "predict", "--model", "model", "street.png", "--output", "predictions"], world)
    with served([pixelwise, "serve", "model", "--port", "0", "--device", "cpu"], world) as address:
        require_answer(address, world)
    assert "found no checkout in" in run([pixelwise, "train"], world).stderr
