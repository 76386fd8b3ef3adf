"""Paint the annotations of a picture as label and object numbers: one rule for every format of labelling tools.

Larger objects are painted first, so that smaller ones stay visible; a format's own layers come before sizes. Crowds are
void where no object covers them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pixelwise.data.annotation_set import AnnotatedPicture, Annotation
from pixelwise.data.class_tables import canonical_name
from pixelwise.data.decoding import MAX_PIXELS, format_size
from pixelwise.data.items import (
    VOID,
    Classes,
    ImagePart,
    Item,
    PaintedMap,
    RawData,
    choose_void_value,
    make_bit_palette,
)
from pixelwise.data.notes import Notes
from pixelwise.data.picture_splits import give_splits, require_distinct
from pixelwise.data.shapes import encode_shape
from pixelwise.errors import DataError

# The layer `instance` has 16 bits.
MOST_OBJECTS = 65535


def make_raw_data(
    name: str, names: Sequence[str], pictures: Sequence[AnnotatedPicture], notes: Notes, void: Sequence[str] = ()
) -> RawData:
    """Make the data set of annotated `pictures`.

    names: the classes, background first. void: names of annotations that become void. A tenth of pictures without
    splits becomes val. Raises DataError if no picture has an annotation.
    """
    index = {each: value for value, each in enumerate(names)}
    nothing = choose_void_value(len(names))
    pictures = give_splits(require_distinct(pictures), notes)
    if pictures and not any(picture.annotations or picture.fault for picture in pictures):
        raise DataError(
            f"data set {name}: none of {len(pictures)} pictures has an annotation, first {pictures[0].path}"
        )
    for picture in pictures:
        if not picture.annotations and not picture.fault:
            notes.add("pictures without annotations, labelled background", picture.path)
    items = PaintedItems(pictures, {**index, **dict.fromkeys(void, nothing)}, nothing, notes)
    label_values = {**{value: value for value in range(len(names))}, nothing: nothing}
    return RawData(name, Classes(tuple(names), make_bit_palette(len(names))), items, label_values, notes)


@dataclass(frozen=True)
class PaintedItems:
    """The items of annotated pictures, each painted on demand, so that the maps are never in memory together.

    values: name of an annotation -> raw label value; annotations of other names are not painted. void: raw value of
    crowds.
    """

    pictures: Sequence[AnnotatedPicture]
    values: Mapping[str, int]
    void: int
    notes: Notes

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Item]:
        return map(self.make_item, self.pictures)

    def make_item(self, picture: AnnotatedPicture) -> Item:
        """Make the item of one picture; label and layer `instance` share one painting."""
        id_ = PurePosixPath(picture.path).with_suffix("").as_posix()
        if picture.fault:
            return Item(id_, picture.split, fail_to_read(picture), None)
        painting = Painting(picture, self.values, self.void, self.notes)
        label, instance = (PaintedMap(picture.source, partial(painting.read, part)) for part in (0, 1))
        return Item(id_, picture.split, picture.image, label, layers={"instance": instance})

    def without(self, names: Sequence[str]) -> "PaintedItems":
        """Copy without the annotations of `names`, so that what they covered shows."""
        return replace(self, values={name: value for name, value in self.values.items() if name not in names})


def fail_to_read(picture: AnnotatedPicture) -> ImagePart:
    """The image of a faulty picture: reading it raises DataError with the fault."""

    def fail() -> bytes:
        raise DataError(f"{picture.path}: {picture.fault}")

    return ImagePart(picture.source, fail)


class Painting:
    """The painted maps of one picture, computed once."""

    def __init__(self, picture: AnnotatedPicture, values: Mapping[str, int], void: int, notes: Notes) -> None:
        self.picture, self.values, self.void, self.notes = picture, values, void, notes
        self.maps: tuple[np.ndarray, np.ndarray] | None = None

    def read(self, part: int, size: tuple[int, int]) -> np.ndarray:
        """Return the label (0) or the object numbers (1) for a picture of `size`. Raises DataError."""
        if self.maps is None:
            self.maps = self.paint(self.picture.size or size)
        return self.maps[part]

    def paint(self, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Paint the label (H, W) uint8 or uint16, and the object numbers (H, W) uint16, 0 = no object.

        Raises DataError at an annotation that cannot be painted.
        """
        from pycocotools import mask

        if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
            raise DataError(f"{self.picture.path}: size {format_size(size)}, expected that of the picture")
        label = np.zeros(size[::-1], np.uint8 if self.void == VOID else np.uint16)
        instance = np.zeros(size[::-1], np.uint16)
        encoded = [(each, area) for each in self.picture.annotations if (area := self.encode(each, size))]
        for _, area in (pair for pair in encoded if pair[0].is_crowd):
            label[mask.decode(area) > 0] = self.void
        objects = [pair for pair in encoded if not pair[0].is_crowd]
        if len(objects) > MOST_OBJECTS:
            raise DataError(f"{self.picture.path}: {len(objects)} objects, expected at most {MOST_OBJECTS}")
        objects.sort(key=lambda pair: (pair[0].layer, -int(mask.area(pair[1]))))
        for number, (each, area) in enumerate(objects, start=1):
            inside = mask.decode(area) > 0
            value = self.values[canonical_name(each.name)]
            label[inside], instance[inside] = value, number if value not in (0, self.void) else 0
        return label, instance

    def encode(self, each: Annotation, size: tuple[int, int]) -> dict[str, Any] | None:
        """Encode the shape of an annotation; None if it is not painted. Raises DataError with its id and the reason."""
        place = f"{each.id} of {self.picture.path}"
        try:
            area, flat = encode_shape(each.shape, size)
            if area is None and each.area > 1:
                raise DataError(f"a shape without area, but its file gives it {each.area:g} pixels")  # noqa: TRY301
        except DataError as error:
            raise DataError(f"annotation {place}: {error}") from None
        if area is None:
            self.notes.add("annotations without area, left out", place)
        elif flat:
            self.notes.add("outlines without area beside others of their annotation, left out", place)
        return area if canonical_name(each.name) in self.values else None
