"""The studio's HTTP requests: the page and its calls."""

import base64
from collections.abc import Callable
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
from pixelwise.families.guided.studio.desk import Desk, View
from pixelwise.families.guided.studio.pictures import MOST_PIXELS
from pixelwise.reporting.label_images import find_boundaries

PAGE = Path(__file__).parent / "page"
# Opacity, 0 to 255, over classes and over the background.
TINT, DIM = 105, 95
# Pixel value of a mask's outline, added to its class.
EDGE = 64
# Pixels of the longer side to which smaller masks are enlarged, so that their outlines are smooth.
SMOOTH = 900

# Handlers await only a request's body, so one change ends before the next begins.
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
    """Refuse requests of other pages, because any page in the browser can send requests to loopback."""
    origin = request.headers.get("origin")
    if origin and origin.partition("://")[2] != request.headers.get("host"):
        return JSONResponse({"error": f"origin {origin}: expected the studio's own page"}, 403)
    return await call_next(request)


async def explain(_: Request, error: Exception) -> JSONResponse:
    """Answer a user's mistake with one line."""
    return JSONResponse({"error": str(error)}, 422)


def get_desk(request: Request) -> Desk:
    """Return the desk of this server."""
    return request.app.state.desk


@routes.get("/desk")
async def show_desk(request: Request) -> dict[str, Any]:
    """Return the classes and the pictures of the desk, and how pictures are read."""
    desk = get_desk(request)
    return {
        "classes": [{"name": name, "colour": COLOURS[way]} for way, name in enumerate(desk.session.names)],
        "pictures": [
            {
                "name": picture.name,
                "height": picture.size[0],
                "width": picture.size[1],
                "clicked": bool(desk.list_clicks(number)),
            }
            for number, picture in enumerate(desk.pictures)
        ],
        "notes": desk.notes.lines(),
    }


@routes.post("/pictures")
async def drop(request: Request, name: str) -> dict[str, Any]:
    """Add the file in the body."""
    return {"pictures": get_desk(request).drop(name, await request.body())}


@routes.get("/pictures/{picture}")
async def show_picture(request: Request, picture: int, longest: int = MOST_PIXELS) -> Response:
    """Return the picture as a JPEG."""
    content = get_desk(request).find_picture(picture).encode_jpeg(min(longest, MOST_PIXELS))
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-cache"})


@routes.get("/pictures/{picture}/mask")
async def show_mask(request: Request, picture: int) -> dict[str, Any]:
    """Return the clicks and the mask of a picture."""
    return answer(get_desk(request).show, picture)


@routes.post("/click")
async def click(request: Request, at: ClickAt) -> dict[str, Any]:
    """Add a click."""
    return answer(get_desk(request).click, at.picture, at.x, at.y, at.way)


@routes.post("/remove")
async def remove(request: Request, removal: Removal) -> dict[str, Any]:
    """Remove a click."""
    return answer(get_desk(request).remove, removal.picture, removal.number)


@routes.post("/undo")
async def undo(request: Request) -> dict[str, Any]:
    """Undo the last change."""
    return answer(get_desk(request).undo)


@routes.post("/classes")
async def add_class(request: Request, new: NewClass) -> dict[str, Any]:
    """Add a class."""
    get_desk(request).add_class(new.name)
    return {}


@routes.post("/pictures/{picture}/save")
async def save_mask(request: Request, picture: int) -> dict[str, str]:
    """Write the mask of a picture."""
    return {"file": str(get_desk(request).save_mask(picture, request.app.state.output))}


@routes.post("/save")
async def save_guidance(request: Request) -> dict[str, str]:
    """Write guidance and clicks."""
    file = get_desk(request).save_guidance(request.app.state.output)
    command = f"pixelwise predict --model {request.app.state.model} --guidance {file} PICTURES --output predictions"
    return {"file": str(file), "next": command}


def answer(change: Callable[..., View], *arguments: int) -> dict[str, Any]:
    """Make a change; return the clicks, the mask as an overlay, and the milliseconds that the change took."""
    started = perf_counter()
    view = change(*arguments)
    milliseconds = 1000 * (perf_counter() - started)
    mask = None
    if view.label is not None:
        mask = "data:image/png;base64," + base64.b64encode(draw_mask(view.label)).decode()
    return {"picture": view.picture, "clicks": view.clicks, "mask": mask, "milliseconds": milliseconds}


def draw_mask(label: np.ndarray) -> bytes:
    """Draw an overlay as a PNG of a few kB: classes are tinted and outlined, the background is dimmed."""
    values = smooth_label(label)
    edge = find_boundaries(values)
    # Two pixels wide, one on each side of the change.
    edge[:, 1:] |= edge[:, :-1]
    edge[1:] |= edge[:-1]
    values[edge] += EDGE
    picture = Image.fromarray(values)
    picture.putpalette(PALETTE.ravel().tolist())
    return encode_picture(picture, transparency=bytes(ALPHA), compress_level=1)


def smooth_label(label: np.ndarray) -> np.ndarray:
    """Enlarge a label to the size of display, so that its outlines are smooth."""
    scale = SMOOTH / max(label.shape)
    if scale <= 1:
        return label.copy()
    size = round(label.shape[1] * scale), round(label.shape[0] * scale)
    smooth = np.zeros(size[::-1], np.uint8)
    for way in np.unique(label[label > 0]):
        plane = Image.fromarray(np.where(label == way, 255, 0).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
        smooth[np.asarray(plane.resize(size, Image.Resampling.BILINEAR)) > 127] = way
    return smooth


def make_palette() -> tuple[np.ndarray, np.ndarray]:
    """Return colours (256, 3) and opacities (256,) of a mask's pixel values: classes, plus EDGE on their outlines."""
    colours, alpha = np.full((256, 3), 255, np.uint8), np.full(256, TINT, np.uint8)
    colours[: len(COLOURS)] = COLOURS
    colours[EDGE + 1 : EDGE + len(COLOURS)] = 255 - (255 - np.array(COLOURS[1:])) * 2 // 5
    alpha[0], alpha[EDGE:] = DIM, 255
    return colours, alpha


PALETTE, ALPHA = make_palette()
