"""Faults of the model and of the machine: one line to the client, and the next request is answered."""

import ctypes
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support.channel_model import channel_picture
from support.http_server import encoded, require_refusal, service_of, serving

from pixelwise.errors import ModelError
from pixelwise.inference.session import Segmenter

IMAGE, LABEL = channel_picture(0, (24, 40))
PICTURE = encoded(IMAGE)


def resident():
    """The MiB that this process has in memory, without what the C library keeps of freed buffers."""
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_a_fault_of_the_model_is_one_line_to_the_client_and_all_to_the_log(model, capfd):
    broken = service_of(model)
    object.__setattr__(broken.batcher.served.model, "session", None)
    with serving(broken) as client:
        assert "log" in require_refusal(client.post("/predict", content=PICTURE), 500)
        assert client.get("/health").status_code == 200
    assert "AttributeError" in capfd.readouterr().err


def test_a_batch_that_there_is_no_memory_for_is_told_and_the_next_is_labelled(model, monkeypatch):
    def out_of_memory(_):
        raise MemoryError

    with serving(service_of(model)) as client:
        with monkeypatch.context() as patch:
            patch.setattr("pixelwise.serving.batching.np.stack", out_of_memory)
            assert "memory" in require_refusal(client.post("/predict", content=PICTURE), 503)
        assert client.post("/predict", content=PICTURE).status_code == 200


def test_a_picture_that_onnx_runtime_has_no_memory_for_is_told_and_the_next_is_labelled(model, monkeypatch, capfd):
    def fail(*_):
        raise ModelError("ONNX Runtime failed on image 1×24×40×3: Failed to allocate memory")

    with serving(service_of(model)) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Segmenter, "run", fail)
            assert "Failed to allocate memory" in require_refusal(client.post("/predict", content=PICTURE), 500)
        assert client.post("/predict", content=PICTURE).status_code == 200
    assert "Traceback" not in capfd.readouterr().err


def test_a_model_that_gives_fewer_labels_than_pictures_is_told_and_the_next_is_labelled(model):
    service = service_of(model)
    segmenter = service.batcher.served.model
    with serving(service) as client:
        none = SimpleNamespace(provider=segmenter.provider, predict=lambda images: segmenter.predict(images)[:0])
        object.__setattr__(service.batcher.served, "model", none)
        require_refusal(client.post("/predict", content=PICTURE), 500)
        object.__setattr__(service.batcher.served, "model", segmenter)
        assert client.post("/predict", content=PICTURE).status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_huge_picture_leaves_no_memory_taken(model):
    segmenter = service_of(model).batcher.served.model
    before = resident()
    # As numbers of the graph it takes 137 MiB, whole. In tiles, the C library keeps some of the smaller buffers.
    replace(segmenter, tile=4096).predict(np.zeros((1, 3000, 4000, 3), np.uint8))
    assert resident() - before < 100
