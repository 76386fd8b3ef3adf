"""The studio's server: a page and what it asks for. Handlers do not yield, so that one change ends before the next."""

import base64
import io
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from PIL import Image
from pydantic import BaseModel

from components.clicking.desk import Desk, Seen
from components.clicking.pictures import SHOWN
from components.errors import PixelwiseError
from components.guiding.prediction import COLOURS
from components.reporting.pictures import boundaries

PAGE = Path(__file__).parent / "page"
# Of 255: what covers the classes, and what dims all else.
TINT, DIM = 105, 95
# Pixel value of a mask's outline, added to its class.
EDGE = 64


class ClickAt(BaseModel):
    """A click in the picture's own pixels."""

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
    """The page and its requests over one desk; what is saved goes to the folder `output`."""
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def refuse_other_sites(request: Request, call_next: Any) -> Response:
        # Any page that the browser has open can send to loopback; only ours may be heard.
        origin = request.headers.get("origin")
        if origin and origin.partition("://")[2] != request.headers.get("host"):
            return JSONResponse({"error": f"origin {origin}: expected the studio's own page"}, 403)
        return await call_next(request)

    @app.exception_handler(PixelwiseError)
    async def explain(_: Request, error: PixelwiseError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 422)

    @app.get("/api/desk")
    async def whole_desk() -> dict[str, Any]:
        clicked = {picture for picture, member in desk.members.items() if desk.session.supports[member].clicks}
        return {
            "classes": [{"name": name, "colour": COLOURS[way]} for way, name in enumerate(desk.session.names)],
            "pictures": [
                {"name": picture.name, "height": picture.size[0], "width": picture.size[1], "clicked": place in clicked}
                for place, picture in enumerate(desk.pictures)
            ],
        }

    @app.post("/api/pictures")
    async def drop(request: Request, name: str) -> dict[str, Any]:
        return {"pictures": desk.drop(name, await request.body())}

    @app.get("/api/pictures/{picture}")
    async def shown(picture: int, longest: int = SHOWN) -> Response:
        desk.require(picture)
        content = desk.pictures[picture].jpeg(min(longest, SHOWN))
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "no-cache"})

    @app.get("/api/pictures/{picture}/mask")
    async def see(picture: int) -> dict[str, Any]:
        return answer(desk.see, picture)

    @app.post("/api/click")
    async def click(at: ClickAt) -> dict[str, Any]:
        return answer(desk.click, at.picture, at.x, at.y, at.way)

    @app.post("/api/remove")
    async def remove(what: Removal) -> dict[str, Any]:
        return answer(desk.remove, what.picture, what.number)

    @app.post("/api/undo")
    async def undo() -> dict[str, Any]:
        return answer(desk.undo)

    @app.post("/api/classes")
    async def add_class(new: NewClass) -> dict[str, Any]:
        desk.add_class(new.name)
        return {}

    @app.post("/api/pictures/{picture}/save")
    async def save_mask(picture: int) -> dict[str, str]:
        return {"file": str(desk.save_mask(picture, output))}

    @app.post("/api/save")
    async def save_guidance() -> dict[str, str]:
        file = desk.save_guidance(output)
        return {
            "file": str(file),
            "next": f"pixelwise predict --model {model} --guidance {file} PICTURES --output predictions",
        }

    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


def answer(change: Any, *arguments: int) -> dict[str, Any]:
    """What the page needs after `change`: clicks, the mask as a picture to lay over, and how long the model took."""
    started = perf_counter()
    seen: Seen = change(*arguments)
    took = 1000 * (perf_counter() - started)
    mask = (
        None if seen.label is None else "data:image/png;base64," + base64.b64encode(mask_picture(seen.label)).decode()
    )
    return {"picture": seen.picture, "clicks": seen.clicks, "mask": mask, "milliseconds": took}


def mask_picture(label: np.ndarray) -> bytes:
    """A PNG of a few kB to lay over a picture: classes tinted and outlined, all else dimmed."""
    values = label.copy()
    edge = boundaries(label)
    # On both sides of the change, or the line would be half as wide where classes swap.
    edge[:, 1:] |= edge[:, :-1]
    edge[1:] |= edge[:-1]
    values[edge] += EDGE
    colours = np.zeros((256, 3), np.uint8)
    colours[: len(COLOURS)] = COLOURS
    lit = 255 - (255 - colours[: len(COLOURS)].astype(int)) * 2 // 5
    colours[EDGE : EDGE + len(COLOURS)] = lit
    colours[EDGE] = 255
    alpha = np.full(256, TINT, np.uint8)
    alpha[0], alpha[EDGE:] = DIM, 255
    picture, file = Image.fromarray(values), io.BytesIO()
    picture.putpalette(colours.ravel().tolist())
    picture.save(file, "PNG", transparency=bytes(alpha), compress_level=1)
    return file.getvalue()
