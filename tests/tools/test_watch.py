"""`pixelwise watch` on the file of a server."""

import json

import numpy as np
import pytest
from support.channel_model import channel_picture, write_channel_data, write_channel_model

from components import ingest
from components.ingest import IngestParams
from pixelwise.errors import DataError
from pixelwise.inference.exported_models import identify
from pixelwise.tools import watch
from pixelwise.watching.params import WatchParams
from pixelwise.watching.rows import compare, encode_row, observe


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Forty accepted stills."""
    folder = tmp_path_factory.mktemp("accepted")
    ingest.run(
        IngestParams(dataset="folder", root=write_channel_data(folder / "raw", [(24, 40)] * 40)), folder / "data"
    )
    return folder / "data"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_channel_model(tmp_path_factory.mktemp("model") / "fcn")


def write_seen(file, model, light):
    """A server's file: sixty requests like the accepted pictures, and as many with other light."""
    lines = []
    for number in range(120):
        image, label = channel_picture(number, (24, 40))
        image = image if number < 60 else (light * image).astype(np.uint8)
        lines.append(encode_row(observe(image, label, identify(model), 3)))
        lines.append(encode_row(compare(label, np.zeros_like(label), identify(model), "rival", 3)))
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def run(file, model, prepared, out):
    return watch.run(WatchParams(requests=60), [file], model, prepared, out)


def test_darkened_requests_are_reported_with_a_page_a_document_and_a_failure(model, prepared, tmp_path):
    watched = run(write_seen(tmp_path / "seen.jsonl", model, 0.5), model, prepared, tmp_path / "out")
    assert "mean of red" in [one.name for one in watched.drifted]
    assert watched.failure.endswith(f"see {tmp_path / 'out' / 'page.html'}")
    document = json.loads((tmp_path / "out" / "watch.json").read_text())
    assert document["has_drifted"]
    assert (document["requests"], document["scenes"]) == (60, 40)
    page = (tmp_path / "out" / "page.html").read_text()
    assert "Drift: " in page
    assert "labels 6" in page
    assert "http" not in page.replace("http-equiv", "")


def test_requests_like_the_accepted_pictures_are_not(model, prepared, tmp_path):
    watched = run(write_seen(tmp_path / "seen.jsonl", model, 1.0), model, prepared, tmp_path / "out")
    assert (watched.drifted, watched.failure) == ([], None)
    assert "no drift in 11 statistics" in str(watched)
    assert watched.disagreement.pictures == 120


def test_requests_to_another_model_are_not_compared(model, prepared, tmp_path):
    other = write_channel_model(tmp_path / "other", fingerprint="e" * 64)
    with pytest.raises(DataError, match=r"no request to .*other \(sha256 \w{12}\), expected some"):
        run(write_seen(tmp_path / "seen.jsonl", model, 1.0), other, prepared, tmp_path / "out")
