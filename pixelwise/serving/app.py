"""The HTTP service: its requests, refusals and answers."""

import asyncio
import os
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pixelwise.errors import ModelError
from pixelwise.serving.answers import Output, choose_output, make_response
from pixelwise.serving.batching import Batcher
from pixelwise.serving.limits import RefusalError, ServeParams, decode_upright, read_picture, refuse_as_busy
from pixelwise.serving.metrics import Counted, Metrics
from pixelwise.serving.models import Served
from pixelwise.serving.rle import Counts
from pixelwise.serving.watcher import Watcher, show_model


class Service:
    """The state of the service: the batcher, the watcher of the champion, and the number of taken request slots."""

    def __init__(self, served: Served, params: ServeParams, follow: tuple[Any, str] | None = None) -> None:
        """`follow` is the registry's client and the alias in it whose model is served; None for a model that stays."""
        self.params, self.metrics = params, Metrics()
        self.batcher = Batcher(served, params, self.metrics)
        self.watcher = Watcher(*follow, self.batcher, params, self.metrics) if follow else None
        self.admitted = 0
        self.is_draining = False
        self.codecs = ThreadPoolExecutor(os.cpu_count(), "codec")
        self.tasks: list[asyncio.Task[None]] = []
        show_model(self.metrics, served)
        self.metrics.admitted.set_function(lambda: self.admitted)
        self.metrics.waiting.set_function(lambda: len(self.batcher.waiting))

    @property
    def is_ready(self) -> bool:
        """Whether the service answers requests."""
        return not self.is_draining and bool(self.tasks) and not any(task.done() for task in self.tasks)

    @asynccontextmanager
    async def run_tasks(self, _: FastAPI) -> AsyncIterator[None]:
        """Run the batcher and the watcher until the block ends."""
        works = [self.batcher.label_forever(), *([self.watcher.watch()] if self.watcher else [])]
        self.tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Reserve a request slot. Raises RefusalError 503 where all are taken, before the request is read."""
        if self.is_draining:
            raise refuse_as_busy("stopping: ask another server, or try again after the restart")
        if self.admitted >= self.params.queue:
            raise refuse_as_busy(f"full: {self.admitted} requests at a time")
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    async def predict(self, request: Request, output: Output, counts: Counts) -> Response:
        """Read, decode, label and encode. Raises RefusalError where one of them fails or exceeds the time limit."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self.params.timeout_seconds
        try:
            async with asyncio.timeout_at(until):
                content = await read_picture(request, self.params.max_bytes)
        except TimeoutError:
            reason = f"body: incomplete after {self.params.timeout_seconds:g} seconds"
            raise RefusalError(408, reason, {"Connection": "close"}) from None
        in_thread = partial(loop.run_in_executor, self.codecs)
        try:
            async with asyncio.timeout_at(until):
                image = await in_thread(decode_upright, content, self.params.max_pixels)
                labelled = await self.batcher.label(image)
                return await in_thread(make_response, output, counts, image, labelled.prediction, labelled.served)
        except TimeoutError:
            raise refuse_as_busy(f"no answer within {self.params.timeout_seconds:g} seconds") from None

    def health(self) -> dict[str, Any]:
        """The state of the service, as /health reports it."""
        served = self.batcher.served
        return {
            "ready": self.is_ready,
            "draining": self.is_draining,
            "model": {"name": served.name, "version": served.version, "sha256": served.sha256},
            "provider": served.segmenter.provider,
            "classes": list(served.segmenter.names),
            "follows": self.watcher.reference if self.watcher else None,
            "error": self.watcher.error if self.watcher else None,
        }


def create_app(service: Service) -> FastAPI:
    """Build the application around `service`, without FastAPI's own pages, which load scripts from a CDN."""
    app = FastAPI(title="Pixelwise", docs_url=None, redoc_url=None, lifespan=service.run_tasks)
    app.add_middleware(Counted, metrics=service.metrics)

    @app.post("/predict", responses={200: {"content": {"image/png": {}, "application/json": {}}}})
    async def predict(
        request: Request,
        output: Annotated[Output | None, Query(description="default: rle if JSON is accepted, else labels")] = None,
        counts: Annotated[Counts, Query(description="format of the run lengths of rle")] = "uncompressed",
    ) -> Response:
        """Label a picture: the body, or the field `file` of a form."""
        chosen_output = choose_output(output, request.headers.get("accept", ""))
        with service.admit(), refuse_on_fault():
            return await service.predict(request, chosen_output, counts)

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


@contextmanager
def refuse_on_fault() -> Iterator[None]:
    """Answer an internal error with one line, and log it in full.

    If the error went further, the server would close the connection under the client's next request.
    """
    try:
        yield
    except RefusalError:
        raise
    except MemoryError:
        raise refuse_as_busy("not enough memory now") from None
    except ModelError as error:
        print(f"failed: {error}", file=sys.stderr)
        raise RefusalError(500, f"failed: {error}") from None
    except Exception as error:
        traceback.print_exception(error, file=sys.stderr)
        raise RefusalError(500, "failed: the server's log has the error") from None


async def answer_refusal(_: Request, error: Any) -> Response:
    """Answer a refusal with one line of JSON, in the form of FastAPI's own."""
    return JSONResponse({"detail": error.reason}, error.status, error.headers)


async def answer_invalid_query(_: Request, error: Any) -> Response:
    """Answer an unknown or invalid option of the query."""
    first = error.errors()[0]
    return JSONResponse({"detail": f"{first['loc'][-1]}: found {first['input']!r}: {first['msg']}"}, 422)
