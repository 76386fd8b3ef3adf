"""The studio's HTTP requests: the page and its calls."""

import base64
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from pixelwise.errors import DataError, PixelwiseError
from pixelwise.families.guided.studio.correction import Correction
from pixelwise.families.guided.studio.desk import Desk, View
from pixelwise.families.guided.studio.pictures import MOST_PIXELS

PAGE = Path(__file__).parent / "page"

# Handlers await only a request's body, so one change ends before the next begins.
routes = APIRouter(prefix="/api")


class ClickAt(BaseModel):
    """A click, in pixels of the picture."""

    picture: int
    x: int
    y: int
    way: int


class Stroke(BaseModel):
    """A stroke of the brush: points (x, y) and radius in pixels of the picture."""

    picture: int
    points: list[tuple[float, float]] = Field(min_length=1)
    radius: float = Field(gt=0)
    way: int


class Removal(BaseModel):
    """A click by its number."""

    picture: int
    number: int


class NewClass(BaseModel):
    """A class by its name."""

    name: str


def create_app(desk: Desk | Correction, output: Path, model: Path) -> FastAPI:
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


def get_desk(request: Request) -> Desk | Correction:
    """Return the desk of this server."""
    return request.app.state.desk


@routes.get("/desk")
async def show_desk(request: Request) -> dict[str, Any]:
    """Return the classes and the pictures of the desk, and how pictures are read."""
    desk = get_desk(request)
    return {
        "classes": [{"name": name, "colour": desk.palette[way]} for way, name in enumerate(desk.names)],
        "pictures": [
            {
                "name": picture.name,
                "height": picture.size[0],
                "width": picture.size[1],
                "clicked": desk.is_marked(number),
            }
            for number, picture in enumerate(desk.pictures)
        ],
        "notes": desk.notes.lines(),
        "corrects": isinstance(desk, Correction),
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
    return answer(request, get_desk(request).show, picture)


@routes.post("/click")
async def click(request: Request, at: ClickAt) -> dict[str, Any]:
    """Add a click."""
    return answer(request, get_desk(request).click, at.picture, at.x, at.y, at.way)


@routes.post("/stroke")
async def stroke(request: Request, drawn: Stroke) -> dict[str, Any]:
    """Paint a stroke of the brush on a label that is corrected."""
    desk = get_desk(request)
    if not isinstance(desk, Correction):
        raise DataError("stroke: found no label to correct, expected `pixelwise studio --correct`")
    return answer(request, desk.stroke, drawn.picture, drawn.points, drawn.radius, drawn.way)


@routes.post("/remove")
async def remove(request: Request, removal: Removal) -> dict[str, Any]:
    """Remove a click."""
    return answer(request, get_desk(request).remove, removal.picture, removal.number)


@routes.post("/undo")
async def undo(request: Request) -> dict[str, Any]:
    """Undo the last change."""
    return answer(request, get_desk(request).undo)


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
async def finish(request: Request) -> dict[str, str]:
    """Write what all masks have in common; return its file and the command that uses it."""
    file, following = get_desk(request).finish(request.app.state.output, request.app.state.model)
    return {"file": str(file), "next": following}


def answer(request: Request, change: Callable[..., View], *arguments: Any) -> dict[str, Any]:
    """Make a change; return the clicks, the mask as an overlay, and the milliseconds that the change took."""
    started = perf_counter()
    view = change(*arguments)
    milliseconds = 1000 * (perf_counter() - started)
    mask = None
    if view.label is not None:
        content = get_desk(request).draw(view.label)
        mask = "data:image/png;base64," + base64.b64encode(content).decode()
    return {"picture": view.picture, "clicks": view.clicks, "mask": mask, "milliseconds": milliseconds}
