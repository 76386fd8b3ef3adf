"""Label pictures of equal size in one batch, which is faster on a GPU than one run per picture."""

import asyncio
import itertools
import math
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pixelwise.inference.session import NAMES
from pixelwise.serving.limits import ServeParams
from pixelwise.serving.metrics import Metrics
from pixelwise.serving.models import Served

# The confidence is computed for one batch in so many: it makes a picture a tenth slower.
CONFIDENT_BATCH = 32
# One picture keeps a CPU busy. A batch of eight took 1.5 times as long as eight single runs.
BATCH, BATCH_OF_CPU = 8, 1


@dataclass(frozen=True)
class Labelled:
    """The prediction (H, W) uint8 of a picture, and the model that made it.

    confidence: the mean over the pixels; None if it was not computed.
    """

    prediction: np.ndarray
    served: Served
    confidence: float | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """A queued picture (H, W, 3), its answer's future, and its arrival on the loop's clock. Compared by identity.

    is_trial: whether the challenger answers it.
    """

    image: np.ndarray
    done: asyncio.Future[Labelled]
    since: float
    is_trial: bool


class Batcher:
    """The queue in front of the model. `served` may be replaced at any time: a running batch keeps its model.

    challenger: answers the share `params.share` of the pictures; None: no picture.
    """

    def __init__(self, served: Served, params: ServeParams, metrics: Metrics, challenger: Served | None = None) -> None:
        self.served, self.params, self.metrics, self.challenger = served, params, metrics, challenger
        self.batches = itertools.count()
        self.waiting: list[Job] = []
        self.arrived = asyncio.Event()
        # One thread, because a session uses all cores by itself.
        self.thread = ThreadPoolExecutor(1, "model")

    async def label(self, image: np.ndarray) -> Labelled:
        """Queue one picture (H, W, 3) uint8 and return its label. Raises the errors of the model."""
        loop = asyncio.get_running_loop()
        is_trial = self.challenger is not None and random.random() < self.params.share  # noqa: S311 - no secret
        job = Job(image, loop.create_future(), loop.time(), is_trial)
        self.waiting.append(job)
        self.arrived.set()
        return await job.done

    async def label_forever(self) -> None:
        """Label queued pictures in an endless loop, the oldest first."""
        while True:
            await self.label_batch(await self.take_batch())

    async def label_batch(self, batch: Sequence[Job]) -> None:
        """Label a batch and resolve its futures with the result or the error."""
        images = [job.image for job in batch]
        served = self.challenger if self.challenger and batch[0].is_trial else self.served
        confidence = next(self.batches) % CONFIDENT_BATCH == 0
        self.metrics.batches.observe(len(batch))
        results: Sequence[Labelled | Exception]
        try:
            results = await asyncio.get_running_loop().run_in_executor(
                self.thread, label_pictures, served, images, confidence
            )
        except Exception as error:
            results = [error] * len(batch)
        settle(batch, results)

    async def take_batch(self) -> list[Job]:
        """Wait until a batch is full or the oldest picture waited long enough; return the pictures of its size."""
        loop = asyncio.get_running_loop()
        while True:
            self.arrived.clear()
            # A request whose time ran out, or whose client left, no longer needs labels.
            self.waiting = [job for job in self.waiting if not job.done.done()]
            if not self.waiting:
                await self.arrived.wait()
                continue
            batch = self.select_batch(self.waiting[0])
            patience = self.waiting[0].since + self.params.wait_milliseconds / 1000 - loop.time()
            if len(batch) >= self.limit_batch(batch[0]) or patience <= 0:
                self.waiting = [job for job in self.waiting if job not in batch]
                return batch
            try:
                await asyncio.wait_for(self.arrived.wait(), patience)
            except TimeoutError:
                continue

    def select_batch(self, first: Job) -> list[Job]:
        """The jobs of one batch: `first` and later ones of its size for the same model."""
        alike = (first.image.shape, first.is_trial)
        same = [job for job in self.waiting if (job.image.shape, job.is_trial) == alike]
        return same[: self.limit_batch(first)]

    def limit_batch(self, job: Job) -> int:
        """The largest batch of pictures of the size of `job`; a batch of huge pictures would fill the memory."""
        height, width, _ = job.image.shape
        default = BATCH if self.served.model.provider == NAMES["cuda"] else BATCH_OF_CPU
        return min(self.params.max_batch or default, max(1, math.floor(self.params.max_pixels / (height * width))))


def label_pictures(served: Served, images: Sequence[np.ndarray], confidence: bool) -> list[Labelled]:
    """Label pictures (H, W, 3) of equal size with `served`. Raises the errors of the model, and MemoryError.

    confidence: compute it too, where the model gives it at once. OpenVINO would compile the model once more.
    """
    if confidence and getattr(served.model, "gives_confidence", False) and served.model.provider in NAMES.values():
        predictions, confidences = served.model.predict_with_confidence(np.stack(images))
        certain = confidences.mean(axis=(1, 2)).tolist()
    else:
        predictions, certain = served.model.predict(np.stack(images)), [None] * len(images)
    return [Labelled(prediction, served, sure) for prediction, sure in zip(predictions, certain, strict=True)]


def settle(batch: Sequence[Job], results: Sequence[Labelled | Exception]) -> None:
    """Resolve the futures that still wait."""
    for job, result in zip(batch, results, strict=True):
        if job.done.done():
            continue
        if isinstance(result, Exception):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)
