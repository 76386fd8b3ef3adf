"""Batches, full houses, slow requests and the end of the server."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.channel_model import channel_picture
from support.http_server import encoded, opened, require_refusal, service_of, serving, wait_until

IMAGE, LABEL = channel_picture(0, (24, 40))
PICTURE = encoded(IMAGE)


@pytest.fixture
def held(model):
    """A service whose model waits until it is told to go on, and the events for it: entered and go."""
    service = service_of(model, queue=3, max_batch=1, timeout_seconds=15)
    entered, go = hold(service)
    yield service, entered, go
    go.set()


def hold(service):
    entered, go = threading.Event(), threading.Event()
    predict = type(service.batcher.served.model).predict

    class Held:
        def __init__(self, segmenter):
            self.segmenter = segmenter

        def __getattr__(self, name):
            return getattr(self.segmenter, name)

        def predict(self, images):
            entered.set()
            assert go.wait(20)
            return predict(self.segmenter, images)

    object.__setattr__(service.batcher.served, "model", Held(service.batcher.served.model))
    return entered, go


def test_metrics_count_requests_by_status_batches_and_the_model(model):
    with serving(service_of(model)) as client:
        client.post("/predict", content=PICTURE)
        client.post("/predict", content=b"no")
        text = client.get("/metrics").text
    for line in (
        'pixelwise_requests_total{route="/predict",status="200"} 1.0',
        'pixelwise_requests_total{route="/predict",status="415"} 1.0',
        "pixelwise_request_seconds_count 2.0",
        "pixelwise_batch_size_sum 1.0",
        "pixelwise_queue_length 0.0",
        'pixelwise_model_reloads_total{outcome="failed"} 0.0',
    ):
        assert line in text
    assert 'name="channels",provider="CPUExecutionProvider"' in text


def test_pictures_of_one_size_share_a_batch_and_each_gets_its_own_labels(model):
    service = service_of(model, wait_milliseconds=300, max_batch=6)
    worlds = [channel_picture(seed, (24, 40) if seed % 2 else (32, 16)) for seed in range(12)]
    with serving(service) as client, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda world: client.post("/predict", content=encoded(world[0])), worlds))
        text = client.get("/metrics").text
    for answer, (_, label) in zip(answers, worlds, strict=True):
        assert (np.array(opened(answer)) == label).all()
    assert "pixelwise_batch_size_sum 12.0" in text
    assert "pixelwise_batch_size_count 2.0" in text


@pytest.mark.parametrize(("provider", "batches"), [("CPUExecutionProvider", 4), ("CUDAExecutionProvider", 1)])
def test_a_cpu_takes_pictures_one_by_one_and_a_gpu_together_unless_told(model, provider, batches):
    service = service_of(model, wait_milliseconds=500)
    object.__setattr__(service.batcher.served.model, "provider", provider)
    with serving(service) as client, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post("/predict", content=PICTURE), range(4)))
        text = client.get("/metrics").text
    assert {answer.status_code for answer in answers} == {200}
    assert f"pixelwise_batch_size_count {batches}.0" in text


def test_a_full_house_refuses_and_says_when_to_come_back(held):
    service, entered, go = held
    with serving(service) as client, ThreadPoolExecutor(4) as pool:
        inside = [pool.submit(client.post, "/predict", content=PICTURE) for _ in range(3)]
        wait_until(lambda: service.admitted == 3 and entered.is_set())
        # Its body is longer than what the connection holds, and nobody in the house reads it.
        refused = client.post("/predict", content=PICTURE + bytes(8_000_000))
        assert "full" in require_refusal(refused, 503)
        assert refused.headers["retry-after"] == "1"
        go.set()
        assert [future.result().status_code for future in inside] == [200] * 3
        assert client.post("/predict", content=PICTURE).status_code == 200


def test_a_request_that_takes_too_long_ends_with_503_and_the_next_is_answered(model):
    service = service_of(model, timeout_seconds=0.3)
    _, go = hold(service)
    with serving(service) as client:
        assert "0.3 seconds" in require_refusal(client.post("/predict", content=PICTURE), 503)
        go.set()
        wait_until(lambda: client.post("/predict", content=PICTURE).status_code == 200)


def test_a_body_that_does_not_come_ends_with_408(model):
    def slow():
        yield PICTURE[:9]
        stop.wait(1)

    stop = threading.Event()
    with serving(service_of(model, timeout_seconds=0.3)) as client:
        require_refusal(client.post("/predict", content=slow()), 408)
        stop.set()


def test_draining_answers_what_is_inside_and_refuses_what_is_new(held):
    service, entered, go = held
    with serving(service) as client, ThreadPoolExecutor(1) as pool:
        inside = pool.submit(client.post, "/predict", content=PICTURE)
        assert entered.wait(10)
        service.is_draining = True
        assert "stopping" in require_refusal(client.post("/predict", content=PICTURE), 503)
        assert client.get("/health").status_code == 503
        go.set()
        assert inside.result().status_code == 200
