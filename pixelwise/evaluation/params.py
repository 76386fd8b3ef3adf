"""What a user sets of an evaluation that counts pixels."""

from pydantic import Field, PositiveInt

from pixelwise.inference.session import Provider
from pixelwise.metrics.confusion import Absent
from pixelwise.params import Params


class EvaluateParams(Params):
    """Section `<family>.evaluate`."""

    split: str = Field("val", min_length=1, description="split of the data to score")
    batch_size: PositiveInt = Field(8, description="images predicted at once, where neighbours are of equal size")
    provider: Provider = Field("auto", description="where ONNX Runtime computes")
    absent: Absent = Field(
        "exclude", description="a class without a truth pixel: out of the means, or IU 0 where it was predicted"
    )
    classes: tuple[str, ...] = Field((), description="classes that the means are over, joined by commas; none: all")
    pictures: PositiveInt = Field(6, description="images in the picture grid, the worst among them")
