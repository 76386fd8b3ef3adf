"""Metrics of the service, for Prometheus."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Paths that are asked about the service itself.
UNCOUNTED = ("/health", "/metrics")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
GREY_LEVELS = tuple(range(16, 256, 16))
PIXELS = tuple(2.0**octave for octave in range(12, 25))
PROBABILITIES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 1.0)
# The status of a request whose client left before the answer.
UNANSWERED = "499"


class Metrics:
    """The counters of one service, in a separate registry, so that two services in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        options: Any = {"registry": self.registry}
        self.requests = Counter(
            "pixelwise_requests", "Requests by route and HTTP status", ["route", "status"], **options
        )
        self.seconds = Histogram("pixelwise_request_seconds", "Time a request took", buckets=SECONDS, **options)
        self.admitted = Gauge("pixelwise_requests_in_progress", "Requests accepted and not answered yet", **options)
        self.sessions = Gauge("pixelwise_sessions", "Open sessions", **options)
        self.waiting = Gauge("pixelwise_queue_length", "Pictures that wait for the model", **options)
        self.batches = Histogram(
            "pixelwise_batch_size", "Pictures labelled at once", buckets=(1, 2, 4, 8, 16, 32, 64), **options
        )
        self.reloads = Counter("pixelwise_model_reloads", "New champions by outcome", ["outcome"], **options)
        self.model = Gauge(
            "pixelwise_model", "1 for the model served", ["name", "version", "sha256", "provider"], **options
        )
        for outcome in ("loaded", "failed"):
            self.reloads.labels(outcome)
        self.add_statistics(options)
        self.add_shadow(options)

    def add_statistics(self, options: Any) -> None:
        """Add what is seen and said; `Statistics` sets them."""
        self.brightness = Histogram(
            "pixelwise_brightness", "Mean grey level of a picture", buckets=GREY_LEVELS, **options
        )
        self.picture_pixels = Histogram("pixelwise_picture_pixels", "Pixels of a picture", buckets=PIXELS, **options)
        self.confidence = Histogram(
            "pixelwise_confidence", "Mean confidence of a picture, for a sample", buckets=PROBABILITIES, **options
        )
        self.labelled_pixels = Counter("pixelwise_labelled_pixels", "Pixels by their label", ["class"], **options)
        self.undescribed = Counter(
            "pixelwise_statistics_dropped", "Answers that were not described, under load", **options
        )

    def add_shadow(self, options: Any) -> None:
        """Add the comparison with the challenger; `Shadow` sets them."""
        self.shadowed = Counter("pixelwise_shadow_pictures", "Pictures for the challenger", ["outcome"], **options)
        self.shadow_pixels = Counter("pixelwise_shadow_pixels", "Pixels that both models labelled", **options)
        self.shadow_differing = Counter("pixelwise_shadow_differing_pixels", "Those labelled differently", **options)
        self.shadow_class_pixels = Counter(
            "pixelwise_shadow_class_pixels", "Pixels that either model labelled so", ["class"], **options
        )
        self.shadow_class_differing = Counter(
            "pixelwise_shadow_class_differing_pixels", "Pixels that only one model labelled so", ["class"], **options
        )

    def format_text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class Counted:
    """ASGI middleware that counts and times every request to a route of the model."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as `app` does."""
        if scope["type"] != "http" or scope["path"] in UNCOUNTED:
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), UNANSWERED

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self.app(scope, receive, note_status)
        finally:
            # A path that is no route is not counted.
            if route := scope.get("route"):
                self.metrics.requests.labels(route.path, status).inc()
                self.metrics.seconds.observe(time.perf_counter() - began)
