"""The requests to a served clockwork: single pictures, and sessions of frames whose states are kept (thesis §3.3)."""

from pathlib import Path
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from pixelwise.families.clockwork.runtime.clockwork_engine import Frame, open_staged
from pixelwise.families.clockwork.runtime.engines import open_engine
from pixelwise.families.clockwork.runtime.model import ScheduledPredictor
from pixelwise.families.clockwork.runtime.schedules import DEFAULT
from pixelwise.inference.session import Provider
from pixelwise.serving import pictures
from pixelwise.serving.answers import LABELLED, AnswerForm, Labelled
from pixelwise.serving.bodies import PICTURE
from pixelwise.serving.limits import decode_upright
from pixelwise.serving.service import Service
from pixelwise.serving.session_routes import add_session_routes, describe
from pixelwise.serving.sessions import Session

# Header of an answer: which stages ran on the frame, shallow to deep.
STAGES = "X-Pixelwise-Stages"


def open_served(model: Path, device: Provider) -> ScheduledPredictor:
    """Open the folder of a clockwork; label a small picture with the plain net and on the default schedule.

    Raises ModelError if it is not in stages or does not run, ProviderError if `device` is not available.
    """
    predictor = ScheduledPredictor(open_staged(model, device, keeps_memory=False), DEFAULT)
    pictures.require_labels(predictor, model)
    predictor.stream().step(np.zeros(pictures.TRIAL[1:], np.uint8))
    return predictor


def make_routes(service: Service) -> APIRouter:
    """The requests for one picture, which the whole net labels, and for the frames of a video."""
    routes = pictures.make_routes(service)
    add_session_routes(routes, service)

    @routes.post("/sessions", status_code=201)
    async def open_session(
        request: Request,
        schedule: Annotated[str, Query(description="NAME or NAME:VALUE, as of pixelwise predict --schedule")] = DEFAULT,
    ) -> dict[str, object]:
        """Open a session for the frames of one video."""
        async with service.take(request):
            engine = open_engine(service.served.model.staged, schedule)
            return describe(service.sessions.add(service.served, engine), service.params)

    @routes.post("/sessions/{session}/frames", responses=LABELLED, openapi_extra={"requestBody": PICTURE})
    async def label_frame(request: Request, session: str, form: AnswerForm) -> Response:
        """Label the next frame of the session's video; the header X-Pixelwise-Stages says which stages ran."""
        async with service.take(request) as body:
            held = service.sessions.find(session)
            image = await service.decode(decode_upright, await body.read_picture(), service.params.max_pixels)
            async with held.turn:
                frame = await step(service, held, image)
            model = held.served.model
            labelled = Labelled(image, frame.prediction, model.names, model.palette, held.served)
            response = await service.answer(form, labelled)
            response.headers[STAGES] = ", ".join(str(int(fires)) for fires in frame.fired)
            return response

    return routes


async def step(service: Service, session: Session, image: np.ndarray) -> Frame:
    """Label the next frame of a session, in its turn."""
    service.sessions.keep(session, image.shape[0] * image.shape[1])
    return await service.compute(session.state.step, image)
