"""Options of an exported model of any family. A family's own `options.py` extends them."""

from pydantic import Field

from pixelwise.evaluation.params import EvaluateParams
from pixelwise.inference.session import Provider
from pixelwise.params import Params


class PredictParams(Params):
    """No section; options only."""

    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    alpha: float = Field(0.5, ge=0, le=1, description="strength of the colours in overlays, 0 to 1")


__all__ = ["EvaluateParams", "PredictParams"]
