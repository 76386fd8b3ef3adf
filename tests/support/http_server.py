"""A server on a free port of this process, and what is asked of it."""

import threading
import time
from contextlib import contextmanager
from io import BytesIO

import httpx
from PIL import Image

from pixelwise.serving.limits import ServeParams
from pixelwise.serving.listening import listen
from pixelwise.serving.models import open_file
from pixelwise.serving.server import Server, describe_address
from pixelwise.serving.service import Service

PATIENCE = 20


@contextmanager
def serving(service):
    """A client of a real server around `service`, stopped at the end by draining it."""
    listener = listen("127.0.0.1", 0)
    server = Server(service)
    thread = threading.Thread(target=server.run, args=([listener],))
    address = describe_address(listener).split()[0]
    thread.start()
    try:
        with httpx.Client(base_url=address, timeout=PATIENCE) as client:
            wait_until(lambda: server.started)
            yield client
    finally:
        server.drain()
        thread.join(PATIENCE)
    assert not thread.is_alive()


def service_of(model, **params):
    """The service of an exported model."""
    return Service(open_file(model, "cpu"), ServeParams(device="cpu", **params))


def wait_until(holds, seconds=PATIENCE):
    """Wait for a condition; an AssertionError where it does not come true."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def encoded(image, kind="PNG", **options):
    """The picture (H, W, 3) as a file."""
    file = BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def opened(response):
    """The picture in an answer 200."""
    assert response.status_code == 200, response.text
    return Image.open(BytesIO(response.content))


def require_refusal(response, status):
    """The reason of a refusal, which is one line of JSON."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert "\n" not in response.json()["detail"]
    return response.json()["detail"]
