"""Serve a model over HTTP: requests hold pictures or frames, replies label maps, overlays or run lengths."""

import sys
from collections.abc import Sequence
from typing import Annotated

from pixelwise import command
from pixelwise.errors import ParamsError
from pixelwise.serving.limits import ServeParams
from pixelwise.serving.listening import listen
from pixelwise.serving.models import open_named
from pixelwise.serving.server import Server, describe_address
from pixelwise.serving.service import Service
from pixelwise.serving.shadow import open_in_background, require_comparable


def run(
    params: ServeParams,
    model: Annotated[list[str], "models:/NAME@ALIAS, models:/NAME/VERSION, or the folder or file of an exported model"],
    shadow: Annotated[
        str | None, "a challenger, as MODEL: it labels what was answered, later and at low priority, to be compared"
    ] = None,
    tracking: Annotated[str | None, "MLflow store (default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db)"] = None,
) -> str:
    """Answer POST /predict, GET /health and GET /metrics until SIGTERM or Ctrl-C, then finish accepted requests.

    With --label-studio, the server is also an ML backend of that Label Studio, at /label-studio.

    A clockwork and a guided model also have sessions: of frames, and of clicks. GET /openapi.json lists the requests.

    /metrics and the file --statistics describe what is seen and said: class shares, confidence, brightness and sizes;
    `pixelwise watch` compares the file with the accepted data. No picture is kept.

    A model named by an alias is followed: when the alias moves, the server switches to the new version and loses no
    request. Raises ModelError where the model does not run or is not the registered file,
    ProviderError where the device is not available, RegistryError where the store fails, ParamsError where the port is
    taken.
    """
    if len(model) != 1:
        raise ParamsError(f"serve: found {len(model)} models, expected one")
    service = open_service(params, model[0], tracking, shadow)
    if params.label_studio and not service.served.model.names:
        raise ParamsError(f"label_studio: {model[0]} has no classes of its own, expected a model that has")
    listener = listen(params.host, params.port)
    served = service.served
    print(f"serving {served} on {served.model.provider} at {describe_address(listener)}", file=sys.stderr, flush=True)
    Server(service).run([listener])
    return "stopped: all accepted requests are answered"


def open_service(params: ServeParams, model: str, tracking: str | None, shadow: str | None = None) -> Service:
    """Open the service of `model`; it follows the registry where `model` is a reference by alias.

    shadow: the challenger beside it, which stays the same until the service ends.
    """
    if params.share and not shadow:
        raise ParamsError(f"share: found {params.share:g} and no --shadow, expected the model that answers this share")
    served, client = open_named(model, params.device, tracking)
    background = trial = None
    if shadow:
        background = open_in_background(lambda: open_named(shadow, params.device, tracking)[0])
        require_comparable(background, served)
        # Opened once more: the threads of the first have the lowest priority.
        trial = open_named(shadow, params.device, tracking)[0] if params.share else None
    follow = (client, model) if client and "@" in model else None
    return Service(served, params, follow, background, trial)


def main(argv: Sequence[str] | None = None) -> None:
    """Run `pixelwise serve` from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
