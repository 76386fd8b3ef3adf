"""The requests by which Label Studio asks an ML backend for labels: /label-studio/health, setup and predict.

Pictures are fetched from the one Label Studio that the server was started for, so that a request cannot make the server
ask other machines.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit
from urllib.request import Request as Asked
from urllib.request import urlopen
from xml.etree import ElementTree

import numpy as np
from fastapi import APIRouter, Request

from pixelwise.data.writers.label_studio import list_brushes
from pixelwise.serving.limits import RefusalError, decode_upright
from pixelwise.serving.service import Service

# The environment variable with the token of a user of Label Studio, by the name that its own SDK reads.
KEY = "LABEL_STUDIO_API_KEY"
EXPECTED = "label_config: expected BrushLabels over an Image, as `pixelwise predict --format label_studio` writes them"


class Tags(NamedTuple):
    """The tags of a labelling interface: the names of the brush and the image, the image's key in a task's data."""

    brush: str
    image: str
    key: str


def make_routes(service: Service, address: str) -> APIRouter:
    """The requests of the Label Studio at `address`."""
    routes = APIRouter(prefix="/label-studio")

    @routes.get("/health")
    async def health() -> dict[str, str]:
        """Say that the backend answers."""
        return {"status": "UP", "model_class": service.served.family}

    @routes.post("/setup")
    async def setup() -> dict[str, str]:
        """Name the model; Label Studio asks when a project is connected."""
        return {"model_version": str(service.served)}

    @routes.post("/predict")
    async def predict(request: Request) -> dict[str, Any]:
        """Label the picture of each task; the answer has a brush of each class."""
        async with service.take(request) as body:
            asked = parse(await body.read())
            tags = find_tags(asked.get("label_config"))
            results = []
            for task in asked["tasks"]:
                url = find_picture(task, tags.key, address)
                content = await service.decode(fetch, url, address, service.params.max_bytes)
                image = await service.decode(decode_upright, content, service.params.max_pixels)
                done = await service.batcher.label(image)
                results.append(await service.decode(describe, done.prediction, done.served.model.names, tags))
            return {"results": results, "model_version": str(service.served)}

    return routes


def parse(body: bytes) -> Mapping[str, Any]:
    """Parse a request with tasks. Raises RefusalError 422."""
    try:
        asked = json.loads(body)
        if isinstance(asked["tasks"], list) and all(isinstance(task["data"], dict) for task in asked["tasks"]):
            return asked
    except (KeyError, TypeError, ValueError):
        pass
    raise RefusalError(422, "body: expected JSON with tasks, each with data, as Label Studio sends it")


def find_tags(config: Any) -> Tags:
    """Find the tags of a labelling interface, the XML `config`. Raises RefusalError 422 if there is no brush."""
    try:
        # The parser of Python's own limits what entities expand to.
        view = ElementTree.fromstring(config)  # noqa: S314
        brush = next(view.iter("BrushLabels"))
        image = next(tag for tag in view.iter("Image") if tag.get("name") == brush.attrib["toName"])
        return Tags(brush.attrib["name"], image.attrib["name"], image.attrib["value"].lstrip("$"))
    except (ElementTree.ParseError, StopIteration, KeyError, TypeError):
        raise RefusalError(422, EXPECTED) from None


def find_picture(task: Mapping[str, Any], key: str, address: str) -> str:
    """Find the address of a task's picture. Raises RefusalError 422 if it is not one of the Label Studio."""
    name = task["data"].get(key)
    if not isinstance(name, str):
        raise RefusalError(422, f"task {task.get('id')}: no {key} in its data, expected a picture")
    url = urljoin(f"{address.rstrip('/')}/", name)
    if urlsplit(url)[:2] != urlsplit(address)[:2]:
        raise RefusalError(422, f"task {task.get('id')}: {name}, expected a picture that {address} serves")
    return url


def fetch(url: str, address: str, max_bytes: int) -> bytes:
    """Fetch a picture. Raises RefusalError: 422 where Label Studio does not give it, 413 where it is too large."""
    asked = Asked(url)  # noqa: S310 - `find_picture` checked it
    try:
        if key := os.environ.get(KEY):
            # Not sent on where Label Studio redirects to a bucket.
            asked.add_unredirected_header("Authorization", authorise(address, key))
        with urlopen(asked, timeout=10) as response:  # noqa: S310
            content: bytes = response.read(max_bytes + 1)
    except (OSError, KeyError, ValueError) as error:
        raise RefusalError(422, f"{url}: {error}, expected a picture; {KEY} holds the token") from None
    if len(content) > max_bytes:
        raise RefusalError(413, f"{url}: more than {max_bytes:,} bytes")
    return content


def authorise(address: str, key: str) -> str:
    """Make the header for a token. A personal one, a JWT, is exchanged for one that lasts minutes. Raises URLError."""
    if key.count(".") != 2:
        return f"Token {key}"
    body, headers = json.dumps({"refresh": key}).encode(), {"Content-Type": "application/json"}
    asked = Asked(urljoin(f"{address.rstrip('/')}/", "api/token/refresh"), body, headers)  # noqa: S310
    with urlopen(asked, timeout=10) as response:  # noqa: S310
        return f"Bearer {json.loads(response.read())['access']}"


def describe(label: np.ndarray, names: tuple[str, ...], tags: Tags) -> dict[str, Any]:
    """Describe a label (H, W) uint8 as the prediction of a task."""
    return {"result": list(list_brushes(label, names, tags.brush, tags.image))}
