"""Follow the champion: the old version serves until the new one, opened beside it, has labelled a picture."""

import asyncio
import sys
from typing import TYPE_CHECKING

from pixelwise.errors import ModelError
from pixelwise.registry.references import find_referenced_version
from pixelwise.serving.batching import Batcher
from pixelwise.serving.limits import ServeParams
from pixelwise.serving.metrics import Metrics
from pixelwise.serving.models import Served, open_version
from pixelwise.tracking.store import translate_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Watcher:
    """Polls the registry for the version of an alias. `error`: why the last poll failed, in one line."""

    def __init__(
        self, client: "MlflowClient", reference: str, batcher: Batcher, params: ServeParams, metrics: Metrics
    ) -> None:
        self.client, self.reference, self.batcher = client, reference, batcher
        self.params, self.metrics = params, metrics
        self.error: str | None = None
        # The version is not tried again: each poll would fetch its file.
        self.refused: str | None = None

    async def watch(self) -> None:
        """Poll the registry every few seconds, in an endless loop."""
        while True:
            await asyncio.sleep(self.params.poll_seconds)
            await self.check_registry()

    async def check_registry(self) -> None:
        """Serve the alias's version if it is a new one. On any error the old version stays."""
        try:
            served = await asyncio.to_thread(self.open_other)
        except Exception as error:  # A watcher that dies would leave the service on an old model in silence.
            reason = " ".join(str(error).split()) or type(error).__name__
            if reason != self.error:
                print(f"serve: keeping {self.batcher.served}: {reason}", file=sys.stderr, flush=True)
            self.error = reason
            self.metrics.reloads.labels("failed").inc()
            return
        if served is not None:
            print(f"serve: {served} takes over from {self.batcher.served}", file=sys.stderr, flush=True)
            self.batcher.served = served
            self.metrics.reloads.labels("loaded").inc()
            show_model(self.metrics, served)

    def open_other(self) -> Served | None:
        """Open the version of the alias; None if it is served already or was refused before.

        Raises ModelError and RegistryError.
        """
        with translate_errors(self.client.tracking_uri):
            referenced = find_referenced_version(self.client, self.reference)
            version = str(referenced.version)
            if version == self.refused:
                return None
            if version == self.batcher.served.version:
                self.error = self.refused = None
                return None
            try:
                served = open_version(self.client, referenced, self.params.device)
                require_same_requests(served, self.batcher.served)
            except ModelError:
                self.refused = version
                raise
        self.error = self.refused = None
        return served


def require_same_requests(new: Served, old: Served) -> None:
    """Raise ModelError if the new champion is of another family: its clients would send other requests."""
    if new.family != old.family:
        raise ModelError(f"{new}: found family {new.family}, expected {old.family} as before; start another server")


def show_model(metrics: Metrics, served: Served) -> None:
    """Set the metric of the served model, and clear that of the others."""
    metrics.model.clear()
    metrics.model.labels(served.name, served.version or "", served.sha256, served.model.provider).set(1)
