"""The requests to a served guided model: a picture with its guidance, and sessions of clicks (thesis §4.3)."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from pixelwise.errors import ModelError
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.runtime.session import GuidedSession
from pixelwise.families.guided.service.desks import Desk
from pixelwise.families.guided.service.forms import FORM, MOST_FILES, read_task
from pixelwise.families.guided.service.tasks import Guide, choose_palette, label_task
from pixelwise.inference.session import Provider
from pixelwise.serving.answers import LABELLED, AnswerForm, Form, Labelled
from pixelwise.serving.bodies import PICTURE, read_form
from pixelwise.serving.limits import decode_upright
from pixelwise.serving.service import Service
from pixelwise.serving.session_routes import add_session_routes, describe
from pixelwise.serving.sessions import Session

# Any small picture proves that the graphs run.
TRIAL = (64, 64, 3)


def open_served(model: Path, device: Provider) -> Guide:
    """Open the folder of a guided model and segment a small picture by one click.

    Raises ModelError if it is no guided model or does not run, ProviderError if `device` is not available.
    """
    guided = GuidedModel(model, device)
    session = GuidedSession(guided)
    try:
        session.click(session.add_picture(np.zeros(TRIAL, np.uint8)), 32, 32)
        session.segment(0)
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this.
        raise ModelError(f"{model}: does not run ({' '.join(str(error).split())})") from None
    return Guide(guided)


def make_routes(service: Service) -> APIRouter:
    """The requests for one picture with its guidance, and for sessions."""
    routes = APIRouter()
    add_session_routes(routes, service)
    add_picture_routes(routes, service)

    @routes.post("/predict", responses=LABELLED, openapi_extra={"requestBody": FORM})
    async def predict(request: Request, form: AnswerForm) -> Response:
        """Label the picture `image` by a guidance file, or by masks and clicks on it or on pictures of a support."""
        async with service.take(request) as body:
            parts = await read_form(await body.read(), MOST_FILES)
            task = await service.decode(read_task, parts, service.params.max_pixels)
            served = service.served
            prediction, names = await service.compute(label_task, served.model.model, task)
            labelled = Labelled(task.images[task.name], prediction, names, choose_palette(names), served)
            return await service.answer(form, labelled)

    @routes.post("/sessions", status_code=201)
    async def open_session(request: Request) -> dict[str, object]:
        """Open a session without pictures; its classes are background and those of its clicks."""
        async with service.take(request):
            desk = Desk(GuidedSession(service.served.model.model, ("background",)))
            return describe(service.sessions.add(service.served, desk), service.params)

    @routes.get("/sessions/{session}/guidance", responses={200: {"content": {"application/octet-stream": {}}}})
    async def get_guidance(request: Request, session: str) -> Response:
        """The guidance of the session's clicks, as a file for `pixelwise predict --guidance`."""
        async with service.take(request):
            held = service.sessions.find(session)
            async with held.turn:
                content = await service.compute(held.state.encode_guidance)
            return Response(content, media_type="application/octet-stream")

    return routes


def add_picture_routes(routes: APIRouter, service: Service) -> None:
    """Add the requests for the pictures of a session. A picture is encoded once, when it is added."""

    @routes.post("/sessions/{session}/pictures", status_code=201, openapi_extra={"requestBody": PICTURE})
    async def add_picture(request: Request, session: str) -> dict[str, Any]:
        """Add the picture in the body to the session, and encode it."""
        async with service.take(request) as body:
            held = service.sessions.find(session)
            image = await service.decode(decode_upright, await body.read_picture(), service.params.max_pixels)
            async with held.turn:
                service.sessions.keep(held, held.state.pixels + image.shape[0] * image.shape[1])
                number = await service.compute(held.state.add, image)
            return {"picture": number, "size": list(image.shape[:2])}

    @routes.get("/sessions/{session}/pictures/{picture}", responses=LABELLED)
    async def label_picture(request: Request, session: str, picture: int, form: AnswerForm) -> Response:
        """Label a picture of the session by all clicks so far."""
        async with service.take(request):
            held = service.sessions.find(session)
            async with held.turn:
                return await label(service, held, picture, form)

    @routes.post("/sessions/{session}/pictures/{picture}/clicks", responses=LABELLED)
    async def click(
        request: Request,
        session: str,
        picture: int,
        x: Annotated[int, Query(description="column of the pixel")],
        y: Annotated[int, Query(description="row of the pixel")],
        form: AnswerForm,
        name: Annotated[str, Query(alias="class", min_length=1, max_length=100, description="class")] = "object",
    ) -> Response:
        """Click on a pixel of a picture, and label the picture."""
        async with service.take(request):
            held = service.sessions.find(session)
            async with held.turn:
                await service.compute(held.state.click, picture, x, y, name)
                return await label(service, held, picture, form)

    @routes.delete("/sessions/{session}/clicks", status_code=204)
    async def undo(request: Request, session: str) -> Response:
        """Take the last click of the session back."""
        async with service.take(request):
            held = service.sessions.find(session)
            async with held.turn:
                await service.compute(held.state.session.undo)
            return Response(status_code=204)


async def label(service: Service, held: Session, picture: int, form: Form) -> Response:
    """Label a picture of a session, in its turn."""
    prediction = await service.compute(held.state.session.segment, picture)
    names = held.state.session.names
    labelled = Labelled(held.state.images[picture], prediction, names, choose_palette(names), held.served)
    return await service.answer(form, labelled)
