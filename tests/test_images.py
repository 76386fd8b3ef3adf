"""The Docker files agree with the rest of the checkout; CI builds them."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
IMAGES = ("Dockerfile", "Dockerfile.pipeline")


def uv_version(file):
    """The version of uv that a file of the checkout asks for."""
    return re.search(r"UV_VERSION\s*:?=\s*([\d.]+)", (PROJECT / file).read_text())[1]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_installs_with_the_uv_of_the_makefile(image):
    assert uv_version(image) == uv_version("Makefile")


@pytest.mark.parametrize("image", IMAGES)
def test_what_an_image_copies_is_there_and_is_sent_to_docker(image):
    sent = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (PROJECT / image).read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert "pixelwise" in names
    assert names <= sent
    assert all((PROJECT / name).exists() for name in names)
