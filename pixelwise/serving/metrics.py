"""Metrics of the service, for Prometheus."""

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Paths that are asked about the service itself.
UNCOUNTED = ("/health", "/metrics")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
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
