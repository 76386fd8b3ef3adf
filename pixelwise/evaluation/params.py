"""Parameters of an evaluation that counts pixels."""

from pydantic import Field, PositiveInt

from pixelwise.inference.session import Provider
from pixelwise.metrics.confusion import Absent
from pixelwise.params import Params


class EvaluateParams(Params):
    """Section `<family>.evaluate`."""

    split: str = Field("val", min_length=1, description="split of the data to score")
    batch_size: PositiveInt = Field(8, description="images per batch; only neighbours of equal size share a batch")
    provider: Provider = Field("auto", description="execution provider of ONNX Runtime")
    absent: Absent = Field(
        "exclude",
        description="a class without labelled pixels: exclude it from the means, or count IU 0 if it is predicted",
    )
    classes: tuple[str, ...] = Field((), description="classes in the means, separated by commas; empty: all")
    pictures: PositiveInt = Field(6, description="images in the picture grid, including the worst")
