"""Check the shape of an annotation and encode it: the one place that hands shapes to pycocotools.

The library reads memory that is not its own, or asks for gigabytes, on numbers that it does not expect. So all numbers
are checked before.
"""

from typing import Any

import numpy as np

from pixelwise.data.annotation_set import Bitmap, Polygons, RunLengths, Shape, Unusable
from pixelwise.data.decoding import format_size
from pixelwise.errors import DataError

# Of a packed run length: six bits a character, of which five are a digit and one says that another digit follows.
FIRST_CHARACTER, DIGIT, FOLLOWED, NEGATIVE, MOST_DIGITS = 48, 0x1F, 0x20, 0x10, 8
Size = tuple[int, int]


def encode_shape(shape: Shape, size: Size) -> tuple[dict[str, Any] | None, int]:
    """Encode `shape` as packed run lengths of a picture of `size` (width, height); None if it has no area.

    Returns also the number of its outlines without area, which are left out. Raises DataError with what was found and
    expected.
    """
    match shape:
        case Polygons():
            return encode_polygons(shape, size)
        case RunLengths():
            return encode_runs(shape, size), 0
        case Bitmap():
            return encode_bitmap(shape, size), 0
        case Unusable():
            raise DataError(shape.reason)


def encode_polygons(shape: Polygons, size: Size) -> tuple[dict[str, Any] | None, int]:
    """Encode outlines, without those that have no area. Raises DataError at one that is damaged or outside."""
    from pycocotools import mask

    for outlines in (shape.rings, shape.holes):
        if not isinstance(outlines, list | tuple):
            raise DataError(f"outlines {describe_value(outlines)}, expected a list of them")
    scale = size if shape.is_relative else (1, 1)
    rings = [check_ring(ring, size, scale) for ring in shape.rings]
    solid = [ring for ring in rings if has_area(ring)]
    flat = len(rings) - len(solid)
    if not solid:
        return None, flat
    found = merge_rings(solid, size)
    if not mask.area(found):
        # Only one whose every point is outside paints nothing; a thin one inside is a stray click.
        require_inside(np.concatenate(solid), size)
        return None, len(rings)
    holes = [hole for hole in (check_ring(hole, size, scale) for hole in shape.holes) if has_area(hole)]
    if holes:
        inside = (mask.decode(found) > 0) & (mask.decode(merge_rings(holes, size)) == 0)
        found = mask.encode(np.asfortranarray(inside, np.uint8))
    return found, flat


def merge_rings(rings: list[np.ndarray], size: Size) -> dict[str, Any]:
    """Encode the union of checked outlines, each (N, 2)."""
    from pycocotools import mask

    return mask.merge(mask.frPyObjects([ring.ravel().tolist() for ring in rings], size[1], size[0]))


def check_ring(ring: Any, size: Size, scale: Size) -> np.ndarray:
    """Check an outline and return its points (N, 2) float64 in pixels.

    Raises DataError if it is not made of pairs of finite numbers, or reaches farther than a picture's width or height
    outside the picture.
    """
    try:
        numbers = np.asarray(ring)
    except ValueError:
        raise DataError("an outline with points of unequal length, expected pairs x, y") from None
    if numbers.size == 0:
        return np.zeros((0, 2))
    if numbers.dtype.kind not in "iuf":
        raise DataError(f"an outline with {describe_value(ring)}, expected numbers")
    if numbers.size % 2 or numbers.ndim > 2 or (numbers.ndim == 2 and numbers.shape[1] != 2):
        raise DataError(f"an outline of {numbers.size} numbers, expected pairs x, y")
    points = numbers.reshape(-1, 2).astype(np.float64) * scale
    if not np.isfinite(points).all():
        raise DataError("an outline with a number that is not finite")
    far = points[((points < -np.array(size)) | (points > 2 * np.array(size))).any(axis=1)]
    if len(far):
        raise DataError(f"point {far[0][0]:g}, {far[0][1]:g} far outside the picture of {format_size(size)}")
    return points


def has_area(ring: np.ndarray) -> bool:
    """Whether an outline (N, 2) has three points that are not on one line. A crossed one encloses an area too."""
    if len(ring) < 3:
        return False
    x, y = (ring - ring[0]).T
    farthest = np.argmax(x**2 + y**2)
    return bool(np.abs(x * y[farthest] - y * x[farthest]).max() > 1e-6)


def require_inside(points: np.ndarray, size: Size) -> None:
    """Raise DataError if all `points` (N, 2) are on one side outside the picture."""
    if (points <= 0).all(axis=0).any() or (points >= size).all(axis=0).any():
        raise DataError(f"lies outside the picture of {format_size(size)}")


def encode_runs(shape: RunLengths, size: Size) -> dict[str, Any] | None:
    """Encode run lengths; None if they mark no pixel. Raises DataError if they are not those of the picture."""
    from pycocotools import mask

    width, height = size
    if not isinstance(shape.size, list | tuple) or list(shape.size) != [height, width]:
        raise DataError(f"run lengths of size {describe_value(shape.size)}, expected [{height}, {width}]")
    counts = unpack_counts(shape.counts) if isinstance(shape.counts, str | bytes) else list_counts(shape.counts)
    if counts.sum() != width * height:
        raise DataError(f"run lengths of {counts.sum()} pixels, expected {width * height}")
    if not counts[1::2].any():
        return None
    return mask.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)


def list_counts(counts: Any) -> np.ndarray:
    """Check listed run lengths. Raises DataError if they are not whole numbers from 0."""
    try:
        found = np.asarray(counts)
    except ValueError:
        found = np.empty(0, object)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu") or (found < 0).any():
        raise DataError("run lengths that are not whole numbers from 0")
    if (found > 2**31).any():
        raise DataError(f"a run length of {found.max()}, expected at most the picture's pixels")
    return found.astype(np.int64)


def unpack_counts(packed: str | bytes) -> np.ndarray:
    """Unpack COCO's string of run lengths, int64 (rleFrString of the COCO API).

    From the fourth on, each is stored as its difference to the last but one.
    Raises DataError at a string that it would not write.
    """
    try:
        digits = np.frombuffer(packed.encode("ascii") if isinstance(packed, str) else packed, np.uint8).astype(np.int64)
    except UnicodeEncodeError:
        raise DataError("packed run lengths with a character that is not ASCII") from None
    digits -= FIRST_CHARACTER
    ends = np.flatnonzero((digits & FOLLOWED) == 0)
    if ((digits < 0) | (digits >= 64)).any() or (len(digits) and (not len(ends) or ends[-1] != len(digits) - 1)):
        raise DataError("packed run lengths that are damaged")
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    if (ends - starts >= MOST_DIGITS).any():
        raise DataError("packed run lengths that are damaged")
    places = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((digits & DIGIT) << (5 * places), starts) if len(ends) else digits
    numbers -= np.where(digits[ends] & NEGATIVE, np.int64(1) << (5 * (ends - starts + 1)), 0)
    for first in (1, 2):
        numbers[first::2] = np.cumsum(numbers[first::2])
    return list_counts(numbers)


def encode_bitmap(shape: Bitmap, size: Size) -> dict[str, Any] | None:
    """Encode a bitmap; None if it marks no pixel. Raises DataError if it lies outside the picture."""
    from pycocotools import mask

    part = shape.read()
    (height, width), (left, top) = part.shape, (shape.left, shape.top)
    if left < 0 or top < 0 or left + width > size[0] or top + height > size[1]:
        found = f"a mask of {format_size((width, height))} at {left}, {top}"
        raise DataError(f"{found}, expected one inside the picture of {format_size(size)}")
    if not part.any():
        return None
    whole = np.zeros(size[::-1], np.uint8, order="F")
    whole[top : top + height, left : left + width] = part
    return mask.encode(whole)


def describe_value(value: Any) -> str:
    """Show a value of a file in at most 40 characters of one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
