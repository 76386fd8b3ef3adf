"""The HTTP application: the requests of the served model's family, health, metrics, and refusals in one line."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pixelwise.families import find_requests
from pixelwise.serving import label_studio
from pixelwise.serving.limits import RefusalError
from pixelwise.serving.metrics import Counted
from pixelwise.serving.service import Service


def create_app(service: Service) -> FastAPI:
    """Build the application around `service`, without FastAPI's own pages, which load scripts from a CDN."""
    app = FastAPI(title="Pixelwise", docs_url=None, redoc_url=None, lifespan=service.run_tasks)
    app.add_middleware(Counted, metrics=service.metrics)
    app.include_router(find_requests(service.served.family).make_routes(service))
    if service.params.label_studio:
        app.include_router(label_studio.make_routes(service, service.params.label_studio))

    @app.get("/health")
    async def health() -> JSONResponse:
        """Report the model, its execution provider and whether it answers: 200 if so, else 503."""
        return JSONResponse(service.health(), 200 if service.is_ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return PlainTextResponse(service.metrics.format_text(), media_type=CONTENT_TYPE_LATEST)

    app.add_exception_handler(RefusalError, answer_refusal)
    app.add_exception_handler(RequestValidationError, answer_invalid_query)
    return app


async def answer_refusal(_: Request, error: Any) -> Response:
    """Answer a refusal with one line of JSON, in the form of FastAPI's own."""
    return JSONResponse({"detail": error.reason}, error.status, error.headers)


async def answer_invalid_query(_: Request, error: Any) -> Response:
    """Answer an unknown or invalid option of the query or of the path."""
    first = error.errors()[0]
    return JSONResponse({"detail": f"{first['loc'][-1]}: found {first['input']!r}: {first['msg']}"}, 422)
