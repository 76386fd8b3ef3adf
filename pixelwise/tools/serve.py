"""Serve a model over HTTP: requests hold pictures or frames, replies label maps, overlays or run lengths."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pixelwise import command
from pixelwise.errors import ParamsError
from pixelwise.registry.references import PREFIX, find_referenced_version
from pixelwise.serving.limits import ServeParams
from pixelwise.serving.listening import listen
from pixelwise.serving.models import open_file, open_version
from pixelwise.serving.server import Server, describe_address
from pixelwise.serving.service import Service
from pixelwise.tracking.store import connect_existing, resolve_store_uri, translate_errors


def run(
    params: ServeParams,
    model: Annotated[list[str], "models:/NAME@ALIAS, models:/NAME/VERSION, or the folder or file of an exported model"],
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> str:
    """Answer POST /predict, GET /health and GET /metrics until SIGTERM or Ctrl-C, then finish accepted requests.

    With --label-studio, the server is also an ML backend of that Label Studio, at /label-studio.

    A clockwork and a guided model also have sessions: of frames, and of clicks. GET /openapi.json lists the requests.

    A model named by an alias is followed: when the alias moves, the server switches to the new version and loses no
    request. Raises ModelError where the model does not run or is not the registered file,
    ProviderError where the device is not available, RegistryError where the store fails, ParamsError where the port is
    taken.
    """
    if len(model) != 1:
        raise ParamsError(f"serve: found {len(model)} models, expected one")
    service = open_service(params, model[0], tracking)
    if params.label_studio and not service.served.model.names:
        raise ParamsError(f"label_studio: {model[0]} has no classes of its own, expected a model that has")
    listener = listen(params.host, params.port)
    served = service.served
    print(f"serving {served} on {served.model.provider} at {describe_address(listener)}", file=sys.stderr, flush=True)
    Server(service).run([listener])
    return "stopped: all accepted requests are answered"


def open_service(params: ServeParams, model: str, tracking: str | None) -> Service:
    """Open the service of `model`; it follows the registry where `model` is a reference by alias."""
    if not model.startswith(PREFIX):
        return Service(open_file(Path(model), params.device), params)
    uri = resolve_store_uri(tracking)
    client = connect_existing(uri)
    with translate_errors(uri):
        served = open_version(client, find_referenced_version(client, model), params.device)
    return Service(served, params, (client, model) if "@" in model else None)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise serve` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
