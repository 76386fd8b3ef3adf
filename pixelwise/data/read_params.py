"""Parameters of reading a data set: what its files cannot tell."""

from pydantic import Field

from pixelwise.data.orientation import Drawn
from pixelwise.params import Params

LAYOUT_KEYS = ("images", "masks", "mask_suffix")


class ReadParams(Params):
    """How a data set is read."""

    classes: dict[str, list[str]] = Field(
        default_factory=dict,
        description="new class: [names in the data set], to merge and rename; `void` and `dropped` take classes out",
    )
    orientation: Drawn = Field(
        default="upright",
        description="whether masks were drawn on the upright picture or on the stored one, where an EXIF tag turns a "
        "picture and the mask's shape fits both: upright or stored",
    )
    images: str | None = Field(
        default=None,
        description="path of the images of a folder, such as {split}/img/{name}.jpg; none: {split}/images/{name}, "
        "images/{split}/{name} or images/{name}",
    )
    masks: str | None = Field(
        default=None, description="path of the masks of a folder, such as {split}/ann/{name}.png; none: as the images"
    )
    max_off_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="maximum share of a mask's pixels in colours of no class, which become void; a mask above it is "
        "unusable",
    )
    mask_suffix: str = Field(
        default="", description="what the name of a folder's mask adds to its image's, such as _mask"
    )
