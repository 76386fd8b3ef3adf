"""Options of an exported model of any family. A family's own `options.py` extends them."""

from pydantic import Field

from pixelwise.data.writers import Format
from pixelwise.evaluation.params import EvaluateParams
from pixelwise.inference.session import Provider
from pixelwise.inference.tiles import SIDE, STEP
from pixelwise.params import Params
from pixelwise.registry.limits import LabelReleaseParams as ReleaseParams


class LabelParams(Params):
    """The options of `pixelwise predict` that every family has."""

    provider: Provider = Field(
        "auto", description="ONNX Runtime on cpu or cuda, or openvino; auto: cuda if any, else by engines.json"
    )
    format: Format | None = Field(None, description="also write the labels of pictures for a labelling tool")
    alpha: float = Field(0.5, ge=0, le=1, description="strength of the colours in overlays, 0 to 1")


class PredictParams(LabelParams):
    """No section; options only."""

    tile: int = Field(
        SIDE,
        ge=STEP,
        multiple_of=STEP,
        description="side of the tiles of larger pictures, in pixels",
    )


__all__ = ["EvaluateParams", "LabelParams", "PredictParams", "ReleaseParams"]
