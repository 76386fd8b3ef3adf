"""The kinds of requests that a server is loaded with, one for each kind of model."""

from collections.abc import Callable, Sequence

import httpx
import numpy as np

from benchmarks.http_requests import Send
from pixelwise.data.image_codec import encode_picture, open_image

# Frames of a session; then the client opens another, as for the next video.
CLIP = 16


def send_pictures(contents: Sequence[bytes]) -> Send:
    """Send each picture by itself."""

    async def send(client: httpx.AsyncClient, who: int) -> httpx.Response:
        return await client.post("/predict", content=contents[who % len(contents)])

    return send


def send_frames(contents: Sequence[bytes]) -> Send:
    """Send the pictures as frames, in a session of each client. Sessions are not closed: they end by themselves."""
    sessions: dict[int, str] = {}
    sent: dict[int, int] = {}

    async def send(client: httpx.AsyncClient, who: int) -> httpx.Response:
        number = sent[who] = sent.get(who, 0) + 1
        if who not in sessions or number % CLIP == 0:
            opened = await client.post("/sessions")
            if opened.status_code != 201:
                return opened
            sessions[who] = opened.json()["session"]
        return await client.post(f"/sessions/{sessions[who]}/frames", content=contents[number % len(contents)])

    return send


def send_guided(contents: Sequence[bytes]) -> Send:
    """Send each picture with another one as its support, and a mask of that."""
    mask = np.zeros(open_image(contents[0]).size[::-1], np.uint8)
    mask[len(mask) // 4 : len(mask) // 2, : mask.shape[1] // 2] = 1
    drawn = ("mask", ("support.png", encode_picture(mask)))

    async def send(client: httpx.AsyncClient, who: int) -> httpx.Response:
        image, support = (contents[number % len(contents)] for number in (who, who + 1))
        files = [("image", ("image.jpg", image)), ("support", ("support.jpg", support)), drawn]
        return await client.post("/predict", files=files)

    return send


KINDS: dict[str, Callable[[Sequence[bytes]], Send]] = {
    "pictures": send_pictures,
    "frames": send_frames,
    "guidance": send_guided,
}
