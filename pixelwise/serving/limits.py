"""Limits of a request in bytes, pixels and time; a request beyond a limit is refused before it is decoded."""

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from pydantic import Field, PositiveFloat, PositiveInt

from pixelwise.data.decoding import decode_usable_image
from pixelwise.data.deep_pictures import REDUCED
from pixelwise.data.image_codec import FORMATS, convert_to_rgb, open_image
from pixelwise.errors import DataError
from pixelwise.inference.session import Provider
from pixelwise.params import Params

MEBIBYTE = 2**20
# A progressive JPEG decodes all pixels once per scan. Cameras write ten scans, a bomb thousands. Coded data never
# holds these two bytes, so counting them counts the scans.
JPEG_SCAN = b"\xff\xda"
MOST_SCANS = 64


class ServeParams(Params):
    """No section; options only."""

    host: str = Field("127.0.0.1", description="address to listen on; any other than loopback is open to the network")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: a free port")
    device: Provider = Field(
        "auto", description="ONNX Runtime on cpu or cuda, or openvino; auto: cuda if any, else by engines.json"
    )
    label_studio: str | None = Field(
        None, description="address of a Label Studio whose tasks are labelled, such as http://localhost:8080"
    )
    max_batch: PositiveInt | None = Field(
        None, description="maximum pictures of equal size in a batch; null: 8 on a GPU, 1 on a CPU"
    )
    wait_milliseconds: float = Field(3.0, ge=0, description="maximum wait of a picture for others of its size")
    queue: PositiveInt = Field(32, description="maximum concurrent requests; further ones are refused with status 503")
    max_mebibytes: PositiveFloat = Field(16.0, description="maximum size of a request body")
    max_pixels: PositiveInt = Field(16_000_000, description="maximum pixels of a picture, and of a batch in total")
    timeout_seconds: PositiveFloat = Field(10.0, description="maximum duration of a request")
    poll_seconds: PositiveFloat = Field(5.0, description="interval between checks of the registry for a new champion")
    sessions: PositiveInt = Field(16, description="maximum sessions at a time; further ones are refused with 503")
    session_seconds: PositiveFloat = Field(300.0, description="a session ends after this time without a request")
    session_pixels: PositiveInt = Field(
        16_000_000, description="maximum pixels of the pictures that all sessions together keep"
    )
    statistics: Path | None = Field(
        None, description="file of statistics of the newest answers, without pictures, for pixelwise watch"
    )
    share: float = Field(0.0, ge=0, le=1, description="share of the pictures that the model of --shadow answers itself")

    @property
    def max_bytes(self) -> int:
        """The largest body in bytes."""
        return int(self.max_mebibytes * MEBIBYTE)


class RefusalError(Exception):
    """A refused request: the HTTP status and the reason in one line."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, dict(headers or {})


def refuse_as_busy(reason: str) -> RefusalError:
    """A refusal with status 503 that asks the client to retry after a second."""
    return RefusalError(503, reason, {"Retry-After": "1"})


def decode_upright(content: bytes, max_pixels: int) -> np.ndarray:
    """The picture (H, W, 3) uint8 RGB in `content`, upright as its EXIF orientation says.

    Raises RefusalError: 415 if it is no picture, 413 if it has more than `max_pixels`, 422 if it is damaged.
    """
    require_decodable(content, max_pixels)
    try:
        picture = decode_usable_image(content, max_pixels)
        if REDUCED in picture.info:
            log_once(picture.info[REDUCED])
        return convert_to_rgb(picture)
    except MemoryError:
        raise refuse_as_busy("picture: not enough memory now") from None
    except DataError as error:
        raise RefusalError(422, f"picture: {error}") from None
    except Exception as error:  # Damaged EXIF data makes Pillow raise unrelated types.
        raise RefusalError(422, f"picture: {' '.join(str(error).split()) or type(error).__name__}") from None


@cache
def log_once(line: str) -> None:
    """Log a line once a process, however many requests it concerns."""
    print(f"note: {line}", file=sys.stderr, flush=True)


def require_decodable(content: bytes, max_pixels: int) -> None:
    """Raise RefusalError if the picture's header shows that the picture must not be decoded."""
    too_many = f"picture: expected at most {max_pixels:,} pixels"
    try:
        picture = open_image(content)
    except UnidentifiedImageError:
        raise RefusalError(415, f"body: not a picture, expected one of: {' '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise RefusalError(413, too_many) from None
    except Exception as error:  # As above.
        raise RefusalError(422, f"picture: {' '.join(str(error).split()) or type(error).__name__}") from None
    if picture.width * picture.height > max_pixels:
        raise RefusalError(413, f"{too_many}, found {picture.width}×{picture.height}")
    if picture.format in ("JPEG", "MPO") and (scans := content.count(JPEG_SCAN)) > MOST_SCANS:
        raise RefusalError(422, f"picture: {scans} scans, expected at most {MOST_SCANS}")
