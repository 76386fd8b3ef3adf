"""When a graph of lower precision is offered: its loss of mean IU is small, and it is faster than float32."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt

from pixelwise.params import Params


class QuantizeParams(Params):
    """Section `<family>.quantize`."""

    precision: Literal["int8", "float16"] = Field(
        "int8", description="int8, judged on the CPU; or float16, judged on CUDA, which must be there"
    )
    calibration_split: str = Field("train", description="split of the calibration pictures")
    calibration_images: PositiveInt = Field(32, description="number of pictures that determine int8's value ranges")
    split: str = Field("val", description="split on which the loss of mean IU is measured")
    max_loss: float = Field(0.005, ge=0, description="maximum loss of mean IU of an offered graph")
    min_speedup: float = Field(1.1, ge=0, description="minimum speed of an offered graph, in multiples of float32's")
    repeats: PositiveInt = Field(10, description="runs of each graph on a picture, in turns, that measure the speed")


@dataclass(frozen=True)
class Quantized:
    """Mean IU before and after, the speed in multiples of float32's, and whether the graph is offered."""

    params: QuantizeParams
    mean_iu_float32: float
    mean_iu: float
    speedup: float
    out: Path

    @property
    def loss(self) -> float:
        """The loss of mean IU."""
        return self.mean_iu_float32 - self.mean_iu

    @property
    def reasons(self) -> list[str]:
        """Why the graph is not offered; empty if it is."""
        limits = {
            f"loses {self.loss:.3f} mean IU, more than {self.params.max_loss:.3f}": self.loss > self.params.max_loss,
            f"{self.speedup:.2f} times as fast, less than {self.params.min_speedup:.2f}": self.speedup
            < self.params.min_speedup,
        }
        return [reason for reason, holds in limits.items() if holds]

    def facts(self) -> dict[str, Any]:
        """The content of quantization.json, without the graphs and their hashes."""
        return {
            "mean_iu_float32": self.mean_iu_float32,
            f"mean_iu_{self.params.precision}": self.mean_iu,
            "speedup": self.speedup,
            **self.params.model_dump(include={"max_loss", "min_speedup"}),
            "offered": not self.reasons,
            "reasons": self.reasons,
        }

    def __str__(self) -> str:
        before, after = f"{self.mean_iu_float32:.3f}", f"{self.mean_iu:.3f}"
        found = f"{self.params.precision}: mean IU {after}, float32 {before}; loss {self.loss:.3f}"
        verdict = f"not offered: {'; '.join(self.reasons)}" if self.reasons else f"offered in {self.out}"
        return f"{found}; {self.speedup:.2f} times as fast; {verdict}"
