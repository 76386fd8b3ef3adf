"""Pictures of equal size are labelled together where that pays: on a GPU one run costs less than one a picture."""

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pixelwise.inference.session import NAMES
from pixelwise.serving.limits import ServeParams
from pixelwise.serving.metrics import Metrics
from pixelwise.serving.models import Served

# A CPU is busy with one picture. Eight at once took it half as long again as one by one.
BATCH, BATCH_OF_CPU = 8, 1


@dataclass(frozen=True)
class Labelled:
    """The prediction (H, W) uint8 of a picture, and the model that made it."""

    prediction: np.ndarray
    served: Served


@dataclass(frozen=True, eq=False)
class Job:
    """A picture (H, W, 3) that waits, who waits for it, and since when on the loop's clock. Equal to itself alone."""

    image: np.ndarray
    done: asyncio.Future[Labelled]
    since: float


class Batcher:
    """The line in front of the model. `served` may be replaced at any time: a batch ends on what it began with."""

    def __init__(self, served: Served, params: ServeParams, metrics: Metrics) -> None:
        self.served, self.params, self.metrics = served, params, metrics
        self.waiting: list[Job] = []
        self.arrived = asyncio.Event()
        # One, because a session uses all cores by itself.
        self.thread = ThreadPoolExecutor(1, "model")

    async def label(self, image: np.ndarray) -> Labelled:
        """Label one picture (H, W, 3) uint8, with others that wait. Raises what the model raises."""
        loop = asyncio.get_running_loop()
        job = Job(image, loop.create_future(), loop.time())
        self.waiting.append(job)
        self.arrived.set()
        return await job.done

    async def work(self) -> None:
        """Label what waits, for ever; the oldest first."""
        while True:
            await self.label_batch(await self.next_batch())

    async def label_batch(self, batch: Sequence[Job]) -> None:
        """Label a batch and tell those who wait for it, also that it failed."""
        images = [job.image for job in batch]
        self.metrics.batches.observe(len(batch))
        results: Sequence[Labelled | Exception]
        try:
            results = await asyncio.get_running_loop().run_in_executor(self.thread, labelled, self.served, images)
        except Exception as error:
            results = [error] * len(batch)
        settle(batch, results)

    async def next_batch(self) -> list[Job]:
        """The oldest picture and those of its size, once they are enough or it has waited long enough."""
        loop = asyncio.get_running_loop()
        while True:
            self.arrived.clear()
            # A request that ran out of time, or whose client went away, wants no labels any more.
            self.waiting = [job for job in self.waiting if not job.done.done()]
            if not self.waiting:
                await self.arrived.wait()
                continue
            batch = self.alike(self.waiting[0])
            patience = self.waiting[0].since + self.params.wait_milliseconds / 1000 - loop.time()
            if len(batch) >= self.most(batch[0]) or patience <= 0:
                self.waiting = [job for job in self.waiting if job not in batch]
                return batch
            try:
                await asyncio.wait_for(self.arrived.wait(), patience)
            except TimeoutError:
                continue

    def alike(self, first: Job) -> list[Job]:
        """`first` and those behind it that fit into its batch."""
        same = [job for job in self.waiting if job.image.shape == first.image.shape]
        return same[: self.most(first)]

    def most(self, job: Job) -> int:
        """How many pictures of the size of `job` are labelled at once: a batch of huge ones would fill the memory."""
        height, width, _ = job.image.shape
        default = BATCH_OF_CPU if self.served.segmenter.provider == NAMES["cpu"] else BATCH
        return min(self.params.max_batch or default, max(1, math.floor(self.params.max_pixels / (height * width))))


def labelled(served: Served, images: Sequence[np.ndarray]) -> list[Labelled]:
    """Pictures (H, W, 3) of equal size, labelled by `served`. Raises what the model raises, and where memory is out."""
    predictions = served.segmenter.predict(np.stack(images))
    return [Labelled(prediction, served) for _, prediction in zip(images, predictions, strict=True)]


def settle(batch: Sequence[Job], results: Sequence[Labelled | Exception]) -> None:
    """Tell those who still wait."""
    for job, result in zip(batch, results, strict=True):
        if job.done.done():
            continue
        if isinstance(result, Exception):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)
