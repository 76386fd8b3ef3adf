"""The service around the model: request slots, time limits, background tasks and health."""

import asyncio
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np
from fastapi import Request, Response

from pixelwise.errors import DataError, ModelError, ParamsError
from pixelwise.serving import answers
from pixelwise.serving.batching import Batcher
from pixelwise.serving.bodies import Body
from pixelwise.serving.limits import RefusalError, ServeParams, refuse_as_busy
from pixelwise.serving.metrics import Metrics
from pixelwise.serving.models import Served
from pixelwise.serving.sessions import Sessions
from pixelwise.serving.shadow import Shadow
from pixelwise.serving.statistics import Statistics
from pixelwise.serving.watcher import Watcher, show_model

T = TypeVar("T")


class Service:
    """The state of the service: the batcher, the sessions, the watcher of the champion, and the taken request slots."""

    def __init__(
        self,
        served: Served,
        params: ServeParams,
        follow: tuple[Any, str] | None = None,
        shadow: Served | None = None,
        trial: Served | None = None,
    ) -> None:
        """`follow` is the registry's client and the alias in it whose model is served; None for a model that stays.

        shadow: a challenger that labels every picture later; trial: one that answers the share `params.share`.

        Raises OSError where the statistics file cannot be written.
        """
        self.params, self.metrics = params, Metrics()
        self.statistics = Statistics(self.metrics, params.statistics)
        self.shadow = Shadow(shadow, self.metrics, self.statistics.write) if shadow else None
        self.batcher = Batcher(served, params, self.metrics, trial)
        self.sessions = Sessions(params)
        self.watcher = Watcher(*follow, self.batcher, params, self.metrics) if follow else None
        self.admitted = 0
        self.is_draining = False
        self.codecs = ThreadPoolExecutor(os.cpu_count(), "codec")
        self.tasks: list[asyncio.Task[None]] = []
        show_model(self.metrics, served)
        self.metrics.admitted.set_function(lambda: self.admitted)
        self.metrics.waiting.set_function(lambda: len(self.batcher.waiting))
        self.metrics.sessions.set_function(lambda: len(self.sessions.open))

    @property
    def served(self) -> Served:
        """The model that answers new requests."""
        return self.batcher.served

    @property
    def is_ready(self) -> bool:
        """Whether the service answers requests."""
        return not self.is_draining and bool(self.tasks) and not any(task.done() for task in self.tasks)

    @asynccontextmanager
    async def run_tasks(self, _: object) -> AsyncIterator[None]:
        """Run the batcher, the sessions' clock, the watcher and the work beside the answers until the block ends."""
        works = [self.batcher.label_forever(), self.sessions.expire_forever()]
        works += [self.watcher.watch()] if self.watcher else []
        # The shadow writes to the file of the statistics, so it stops first.
        sides = [*([self.shadow.side] if self.shadow else []), self.statistics.side]
        for side in sides:
            side.start()
        self.tasks = [asyncio.create_task(work) for work in works]
        try:
            yield
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            for side in sides:
                await asyncio.to_thread(side.stop)

    @asynccontextmanager
    async def take(self, request: Request) -> AsyncIterator[Body]:
        """Give a request a slot and its body, and limit its time.

        Raises RefusalError: 503 where all slots are taken or its time is over, 408 where its body came too late, and
        for what fails in the block as `refuse_on_fault`.
        """
        seconds = self.params.timeout_seconds
        body = Body(request, self.params.max_bytes)
        with self.admit(), refuse_on_fault():
            try:
                async with asyncio.timeout(seconds):
                    yield body
            except TimeoutError:
                if body.is_awaited:
                    reason = f"body: incomplete after {seconds:g} seconds"
                    raise RefusalError(408, reason, {"Connection": "close"}) from None
                raise refuse_as_busy(f"no answer within {seconds:g} seconds") from None

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

    async def label(self, image: np.ndarray) -> answers.Labelled:
        """Label a picture (H, W, 3) uint8, and let the challenger do so later. Raises the errors of the model."""
        done = await self.batcher.label(image)
        model = done.served.model
        labelled = answers.Labelled(image, done.prediction, model.names, model.palette, done.served, done.confidence)
        if self.shadow:
            self.shadow.offer(labelled)
        return labelled

    async def answer(self, form: answers.Form, labelled: answers.Labelled) -> Response:
        """Encode an answer, and describe it in the statistics."""
        self.statistics.side.offer(labelled)
        return await self.decode(answers.make_response, form, labelled)

    async def decode(self, work: Callable[..., T], *arguments: Any) -> T:
        """Decode or encode in a thread of its own, beside the model."""
        return await asyncio.get_running_loop().run_in_executor(self.codecs, partial(work, *arguments))

    async def compute(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run the model in its thread, after what waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self.batcher.thread, partial(work, *arguments))

    def health(self) -> dict[str, Any]:
        """The state of the service, as /health reports it."""
        served = self.served
        return {
            "ready": self.is_ready,
            "draining": self.is_draining,
            "model": {"name": served.name, "version": served.version, "sha256": served.sha256},
            "provider": served.model.provider,
            "classes": list(served.model.names),
            "sessions": len(self.sessions.open),
            "follows": self.watcher.reference if self.watcher else None,
            "error": self.watcher.error if self.watcher else None,
        }


@contextmanager
def refuse_on_fault() -> Iterator[None]:
    """Answer bad input and an internal error with one line; log the latter in full.

    If an error went further, the server would close the connection under the client's next request.
    """
    try:
        yield
    except (RefusalError, TimeoutError):
        raise
    except MemoryError:
        raise refuse_as_busy("not enough memory now") from None
    except (DataError, ParamsError) as error:
        raise RefusalError(422, " ".join(str(error).split())) from None
    except ModelError as error:
        print(f"failed: {error}", file=sys.stderr)
        raise RefusalError(500, f"failed: {error}") from None
    except Exception as error:
        traceback.print_exception(error, file=sys.stderr)
        raise RefusalError(500, "failed: the server's log has the error") from None
