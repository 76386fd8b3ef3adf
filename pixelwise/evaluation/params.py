"""Parameters of an evaluation that counts pixels, and of a benchmark."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt

from pixelwise.inference.session import Provider
from pixelwise.metrics.confusion import Absent
from pixelwise.params import Params


class EvaluateParams(Params):
    """Section `<family>.evaluate`."""

    split: str = Field("val", min_length=1, description="split of the data to score")
    batch_size: PositiveInt = Field(8, description="images per batch; only neighbours of equal size share a batch")
    provider: Provider = Field("auto", description="ONNX Runtime on cpu or cuda (auto: cuda if any), or openvino")
    absent: Absent = Field(
        "exclude",
        description="a class without labelled pixels: exclude it from the means, or count IU 0 if it is predicted",
    )
    classes: tuple[str, ...] = Field((), description="classes in the means, separated by commas; empty: all")
    pictures: PositiveInt = Field(6, description="images in the picture grid, including the worst")
    beside: Path | None = Field(
        None,
        description="another exported model; the error page shows what the evaluated one gained and lost",
    )
    slices: Path | None = Field(
        None,
        description="CSV file with a column `path`; the error page shows the scores by its other columns",
    )


class BenchmarkParams(Params):
    """Section `<family>.benchmark`."""

    width: PositiveInt = Field(480, description="width of the pictures")
    height: PositiveInt = Field(360, description="height of the pictures")
    batch_size: PositiveInt = Field(4, description="batch size of the throughput measurement of a net of one graph")
    split: str = Field("val", min_length=1, description="split whose longest clip a schedule labels")
    warmup: PositiveInt = Field(2, description="runs of each engine before the measured ones")
    repeats: PositiveInt = Field(10, description="measured runs of each engine")
    device: Literal["cpu", "cuda"] = Field("cpu", description="device of every engine")
    min_equal_pixels: float = Field(
        0.99, ge=0, le=1, description="share of pixels that an engine must label as ONNX Runtime does to be served"
    )
    torch_compile: bool = Field(False, description="whether torch.compile is timed too; it compiles for a minute")
