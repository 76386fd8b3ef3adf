"""A task in the form of one request: the picture to label, and what defines its classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from pixelwise.data.drawn_masks import Drawn, decode_masks
from pixelwise.data.notes import Notes
from pixelwise.errors import DataError
from pixelwise.families.guided.runtime.named_clicks import NamedClick, parse_clicks
from pixelwise.serving.bodies import Part
from pixelwise.serving.limits import RefusalError, decode_upright, require_decodable

# The most files of a form: a picture, its support, masks and guidance.
MOST_FILES = 33
FIELDS = ("image", "support", "mask", "clicks", "guidance")
FILE = {"type": "string", "format": "binary"}
# The form in the API's description.
FORM = {
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {
                    "image": {**FILE, "description": "the picture to label"},
                    "support": {"type": "array", "items": FILE, "description": "annotated pictures"},
                    "mask": {"type": "array", "items": FILE, "description": "masks, each named as its picture"},
                    "clicks": {"type": "string", "description": '{"PICTURE": [[x, y, "CLASS"], …]}'},
                    "guidance": {**FILE, "description": "a file of pixelwise guide"},
                },
            }
        }
    },
    "required": True,
}


@dataclass(frozen=True)
class Task:
    """The picture to label by its name in `images`, and the annotations of all pictures by name.

    images: (H, W, 3) each; all but `name` are supports. masks: (H, W) each. guidance: a file's content.
    """

    name: str
    images: dict[str, np.ndarray]
    masks: dict[str, np.ndarray]
    clicks: dict[str, list[NamedClick]]
    guidance: bytes | None

    def list_annotated(self) -> Iterator[tuple[str, list[NamedClick], np.ndarray | None]]:
        """Yield each picture with its clicks and its mask, if it has any of them."""
        for name in self.images:
            if name in self.clicks or name in self.masks:
                yield name, self.clicks.get(name, []), self.masks.get(name)


def read_task(parts: Sequence[Part], max_pixels: int) -> Task:
    """Read the fields of a form.

    Raises RefusalError or DataError: 422 if a field is missing, unknown, given twice or does not fit the pictures, and
    as `decode_upright` for pictures; all pictures together have at most `max_pixels`.
    """
    if unknown := [part.field for part in parts if part.field not in FIELDS]:
        raise RefusalError(422, f"form: found {unknown[0]!r}, expected {', '.join(FIELDS)}")
    image = take_one(parts, "image")
    if image is None:
        raise RefusalError(422, "form: found no image, expected one, as in curl -F image=@picture.jpg")
    contents = {}
    for part in (image, *(part for part in parts if part.field == "support")):
        name = part.name or "picture"
        if name in contents:
            raise RefusalError(422, f"form: found two pictures named {name}, expected different names")
        contents[name] = part.content
    images: dict[str, np.ndarray] = {}
    for name, content in contents.items():
        images[name] = decode_upright(content, max_pixels - sum(x.shape[0] * x.shape[1] for x in images.values()))
    clicks, guidance = take_one(parts, "clicks"), take_one(parts, "guidance")
    clicked = parse_clicks(clicks.content, "clicks") if clicks else {}
    if strange := [name for name in clicked if name not in images]:
        raise DataError(f"clicks: {strange[0]} is not among the pictures, expected some of {', '.join(images)}")
    masks = read_masks([part for part in parts if part.field == "mask"], contents, max_pixels)
    return Task(image.name or "picture", images, masks, clicked, guidance.content if guidance else None)


def take_one(parts: Sequence[Part], field: str) -> Part | None:
    """The part of a field that a form has once; None if it is missing. Raises RefusalError 422 if there are several."""
    found = [part for part in parts if part.field == field]
    if len(found) > 1:
        raise RefusalError(422, f"form: found {len(found)} parts {field}, expected one")
    return found[0] if found else None


def read_masks(parts: Sequence[Part], contents: dict[str, bytes], max_pixels: int) -> dict[str, np.ndarray]:
    """Read masks by the name of their picture, as `pixelwise guide` does: `disc.png` is the mask of `disc.jpg`.

    Raises RefusalError as `require_decodable`, DataError if a mask belongs to no picture, or a picture has two.
    """
    pictures = {PurePath(name).with_suffix(""): name for name in contents}
    drawn: dict[str, Drawn] = {}
    for part in parts:
        stem = PurePath(part.name or "picture").with_suffix("")
        if stem not in pictures or pictures[stem] in drawn:
            found = "twice" if stem in pictures else "for no picture of the form"
            raise DataError(f"mask {part.name}: found {found}, expected one mask for each of {', '.join(contents)}")
        require_decodable(part.content, max_pixels)
        drawn[pictures[stem]] = Drawn(f"mask {part.name}", part.content, contents[pictures[stem]])
    return decode_masks(drawn, Notes()) if drawn else {}
