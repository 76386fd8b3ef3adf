"""Studio: a web page that turns clicks on pictures into masks of these and of other pictures."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from pixelwise import command
from pixelwise.families.guided.runtime.guided_model import GuidedModel
from pixelwise.families.guided.studio.correction import Correction
from pixelwise.families.guided.studio.desk import Desk
from pixelwise.inference.session import Provider
from pixelwise.labelling.suggestions import read_list
from pixelwise.params import Params
from pixelwise.registry.references import resolve_model_folder
from pixelwise.serving.listening import is_loopback

MODEL = Path("models/guided")


class StudioParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="ONNX Runtime on cpu or cuda (auto: cuda if any), or openvino")
    host: str = Field("127.0.0.1", min_length=1, description="address to listen on")
    port: int = Field(7860, ge=0, le=65535, description="port to listen on; 0: any that is free")


def run(
    params: StudioParams,
    model: Annotated[Path, "folder of the exported guided model, or models:/NAME@ALIAS"] = MODEL,
    output: Annotated[Path, "folder that masks and guidance are saved to"] = Path("studio"),
    correct: Annotated[Path | None, "folder of `pixelwise suggest`, whose labels are opened to be corrected"] = None,
) -> None:
    """Serve the studio's page until Ctrl+C. It needs no network.

    With --correct, the suggested pictures are open in their order, each with the label that the other model gave it.
    Clicks and strokes of a brush correct it. `pixelwise ingest --dataset folder` reads what is saved. The model at
    --model finds the object of a click if it has a click net; without one, a click takes the connected area of a class.

    Raises ModelError if the model is not a guided one, ParamsError if the address cannot be listened on, DataError if
    there is nothing to correct.
    """
    # Imported here because the web server is large and `--help` does not need it.
    from pixelwise.families.guided.studio.server import serve

    desk, provider = open_desk(params, model, correct)
    if not is_loopback(params.host):
        print(
            f"warning: {params.host} is not loopback: everyone who reaches this machine can see the pictures, "
            f"change the clicks and write to {output}",
            file=sys.stderr,
        )
    serve(desk, provider, model, output, params.host, params.port)


def open_desk(params: StudioParams, model: Path, correct: Path | None) -> tuple[Desk | Correction, str]:
    """Open the desk, and name what it runs on. Labels can be corrected without a model."""
    if correct is not None and model == MODEL and not model.exists():
        return Correction(read_list(correct), None), "no model"
    guided = GuidedModel(resolve_model_folder(model), params.provider)
    return Desk(guided) if correct is None else Correction(read_list(correct), guided.clicks), guided.provider


def main(argv: Sequence[str] | None = None) -> None:
    """Run the verb from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
