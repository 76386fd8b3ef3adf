"""Requests to a model that labels pictures: the hooks of every family without requests of its own."""

from pathlib import Path

import numpy as np
from fastapi import APIRouter, Request, Response

from pixelwise.errors import ModelError
from pixelwise.families.hooks import Predictor
from pixelwise.inference.session import Provider, Segmenter, open_model
from pixelwise.serving.answers import LABELLED, AnswerForm
from pixelwise.serving.bodies import PICTURE
from pixelwise.serving.limits import decode_upright
from pixelwise.serving.service import Service

# Any small picture proves that a graph runs.
TRIAL = (1, 64, 64, 3)


def open_served(model: Path, device: Provider) -> Segmenter:
    """Open the graph of `model` and label a small picture with it.

    Raises ModelError if it is missing, needs other inputs or does not run, ProviderError if `device` is not available.
    """
    # Otherwise the memory of one huge picture stays allocated until the service ends.
    segmenter = open_model(model, device, is_alone=False, keeps_memory=False)
    require_labels(segmenter, model)
    return segmenter


def require_labels(predictor: Predictor, model: Path) -> None:
    """Raise ModelError unless `predictor`, opened from `model`, labels a small picture."""
    if predictor.inputs != ("image",):
        raise ModelError(f"{model}: found inputs {' and '.join(predictor.inputs)}, expected image alone")
    try:
        prediction = predictor.predict(np.zeros(TRIAL, np.uint8))
    except Exception as error:  # ONNX Runtime's own exceptions have no common base but this.
        raise ModelError(f"{model}: does not run ({' '.join(str(error).split())})") from None
    if prediction.shape != TRIAL[:3] or prediction.dtype != np.uint8:
        type_and_shape = f"{prediction.dtype} {prediction.shape}"
        raise ModelError(
            f"{model}: found output {type_and_shape} for a picture of {TRIAL[:3]}, expected uint8 of its size"
        )


def make_routes(service: Service) -> APIRouter:
    """The request for one picture."""
    routes = APIRouter()

    @routes.post("/predict", responses=LABELLED, openapi_extra={"requestBody": PICTURE})
    async def predict(request: Request, form: AnswerForm) -> Response:
        """Label a picture: the body, or the field `file` of a form."""
        async with service.take(request) as body:
            image = await service.decode(decode_upright, await body.read_picture(), service.params.max_pixels)
            return await service.answer(form, await service.label(image))

    return routes
