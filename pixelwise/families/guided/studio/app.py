"""The studio's HTTP requests: the page and its calls."""

import base64
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from PIL import Image, ImageFilter
from pydantic import BaseModel

from pixelwise.data.image_codec import encode_picture
from pixelwise.errors import PixelwiseError
from pixelwise.families.guided.runtime.model import COLOURS
from pixelwise.families.guided.studio.desk import Desk, Seen
from pixelwise.families.guided.studio.pictures import SHOWN
from pixelwise.reporting.label_images import find_boundaries

PAGE = Path(__file__).parent / "page"
# Opacity, of 255: of the classes, and of the rest.
TINT, DIM = 105, 95
# Pixel value of a mask's outline, added to its class.
EDGE = 64
# Pixels of the longer side to which smaller masks are enlarged, so that no stairs show.
SMOOTH = 900

# Handlers wait for a request's body only, so one change ends before the next begins.
routes = APIRouter(prefix="/api")


class ClickAt(BaseModel):
    """A click, in pixels of the picture."""

    picture: int
    x: int
    y: int
    way: int


class Removal(BaseModel):
    """A click by its number."""

    picture: int
    number: int


class NewClass(BaseModel):
    """A class by its name."""

    name: str


def create_app(desk: Desk, output: Path, model: Path) -> FastAPI:
    """Build the application over one desk. Saved files go to the folder `output`."""
    app = FastAPI(openapi_url=None)
    app.state.desk, app.state.output, app.state.model = desk, output, model
    app.middleware("http")(refuse_other_sites)
    app.add_exception_handler(PixelwiseError, explain)
    app.include_router(routes)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


async def refuse_other_sites(request: Request, call_next: Any) -> Response:
    """Refuse requests of other pages: any page in the browser can send requests to loopback."""
    origin = request.headers.get("origin")
    if origin and origin.partition("://")[2] != request.headers.get("host"):
        return JSONResponse({"error": f"origin {origin}: expected the studio's own page"}, 403)
    return await call_next(request)


async def explain(_: Request, error: Exception) -> JSONResponse:
    """Answer a user's mistake with one line."""
    return JSONResponse({"error": str(error)}, 422)


def desk_of(request: Request) -> Desk:
    """The desk of this server."""
    return request.app.state.desk


@routes.get("/desk")
async def show_desk(request: Request) -> dict[str, Any]:
    """Its classes and pictures."""
    desk = desk_of(request)
    return {
        "classes": [{"name": name, "colour": COLOURS[way]} for way, name in enumerate(desk.session.names)],
        "pictures": [
            {
                "name": picture.name,
                "height": picture.size[0],
                "width": picture.size[1],
                "clicked": bool(desk.clicks(number)),
            }
            for number, picture in enumerate(desk.pictures)
        ],
    }


@routes.post("/pictures")
async def drop(request: Request, name: str) -> dict[str, Any]:
    """Add the file in the body."""
    return {"pictures": desk_of(request).drop(name, await request.body())}


@routes.get("/pictures/{picture}")
async def show_picture(request: Request, picture: int, longest: int = SHOWN) -> Response:
    """The picture as a JPEG."""
    content = desk_of(request).picture(picture).jpeg(min(longest, SHOWN))
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-cache"})


@routes.get("/pictures/{picture}/mask")
async def see(request: Request, picture: int) -> dict[str, Any]:
    """The clicks and the mask of a picture."""
    return answer(desk_of(request).see, picture)


@routes.post("/click")
async def click(request: Request, at: ClickAt) -> dict[str, Any]:
    """Add a click."""
    return answer(desk_of(request).click, at.picture, at.x, at.y, at.way)


@routes.post("/remove")
async def remove(request: Request, what: Removal) -> dict[str, Any]:
    """Remove a click."""
    return answer(desk_of(request).remove, what.picture, what.number)


@routes.post("/undo")
async def undo(request: Request) -> dict[str, Any]:
    """Undo the last change."""
    return answer(desk_of(request).undo)


@routes.post("/classes")
async def add_class(request: Request, new: NewClass) -> dict[str, Any]:
    """Add a class."""
    desk_of(request).add_class(new.name)
    return {}


@routes.post("/pictures/{picture}/save")
async def save_mask(request: Request, picture: int) -> dict[str, str]:
    """Write the mask of a picture."""
    return {"file": str(desk_of(request).save_mask(picture, request.app.state.output))}


@routes.post("/save")
async def save_guidance(request: Request) -> dict[str, str]:
    """Write guidance and clicks."""
    file = desk_of(request).save_guidance(request.app.state.output)
    command = f"pixelwise predict --model {request.app.state.model} --guidance {file} PICTURES --output predictions"
    return {"file": str(file), "next": command}


def answer(change: Any, *arguments: int) -> dict[str, Any]:
    """What the page needs after `change`: the clicks, the mask as an overlay, and the model's time."""
    started = perf_counter()
    seen: Seen = change(*arguments)
    took = 1000 * (perf_counter() - started)
    mask = (
        None if seen.label is None else "data:image/png;base64," + base64.b64encode(mask_picture(seen.label)).decode()
    )
    return {"picture": seen.picture, "clicks": seen.clicks, "mask": mask, "milliseconds": took}


def mask_picture(label: np.ndarray) -> bytes:
    """An overlay as a PNG of a few kB: classes are tinted and outlined, the rest is dimmed."""
    values = smoothed(label)
    edge = find_boundaries(values)
    # Two pixels wide, one on each side of the change.
    edge[:, 1:] |= edge[:, :-1]
    edge[1:] |= edge[:-1]
    values[edge] += EDGE
    picture = Image.fromarray(values)
    picture.putpalette(TABLE.ravel().tolist())
    return encode_picture(picture, transparency=bytes(ALPHA), compress_level=1)


def smoothed(label: np.ndarray) -> np.ndarray:
    """A label at the size of display, so that its outlines are smooth. For display only."""
    scale = SMOOTH / max(label.shape)
    if scale <= 1:
        return label.copy()
    size = round(label.shape[1] * scale), round(label.shape[0] * scale)
    found = np.zeros(size[::-1], np.uint8)
    for way in np.unique(label[label > 0]):
        plane = Image.fromarray(np.where(label == way, 255, 0).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
        found[np.asarray(plane.resize(size, Image.Resampling.BILINEAR)) > 127] = way
    return found


def table() -> tuple[np.ndarray, np.ndarray]:
    """Colours (256, 3) and opacities (256,) of the values of a mask's picture: classes, and EDGE on their outlines."""
    colours, alpha = np.full((256, 3), 255, np.uint8), np.full(256, TINT, np.uint8)
    colours[: len(COLOURS)] = COLOURS
    colours[EDGE + 1 : EDGE + len(COLOURS)] = 255 - (255 - np.array(COLOURS[1:])) * 2 // 5
    alpha[0], alpha[EDGE:] = DIM, 255
    return colours, alpha


TABLE, ALPHA = table()
