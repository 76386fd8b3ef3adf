"""Studio: a web page that turns clicks on pictures into masks of these and of other pictures."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pixelwise import command
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.inference.session import Provider
from pixelwise.params import Params
from pixelwise.registry.references import resolve_model_folder
from pixelwise.serving.listening import is_loopback


class StudioParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="ONNX Runtime on cpu or cuda (auto: cuda if any), or openvino")
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(7860, ge=0, le=65535, description="port to listen on; 0: any that is free")


def run(
    params: StudioParams,
    model: Annotated[Path, "folder of the exported guided model, or models:/NAME@ALIAS"] = Path("models/guided"),
    output: Annotated[Path, "folder that masks and guidance are saved to"] = Path("studio"),
) -> None:
    """Serve the studio's page until Ctrl+C. It needs no network.

    Raises ModelError if the model is not a guided one, ParamsError if the address cannot be listened on.
    """
    # Imported here because the web server is large and `--help` does not need it.
    from pixelwise.families.guided.studio.server import serve

    guided = GuidedModel(resolve_model_folder(model), params.provider)
    if not is_loopback(params.host):
        print(
            f"warning: {params.host} is not loopback: everyone who reaches this machine can see the pictures, "
            f"change the clicks and write to {output}",
            file=sys.stderr,
        )
    serve(guided, model, output, params.host, params.port)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
