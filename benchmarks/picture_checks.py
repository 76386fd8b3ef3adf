"""False alarms and hits of the checks of pictures: on a right data set, and on the same one spoilt on purpose."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
from PIL import Image
from pydantic import PositiveInt

from pixelwise import command
from pixelwise.data.decoding import MAX_PIXELS
from pixelwise.data.image_codec import encode_picture
from pixelwise.data.item_inspection import read_pair
from pixelwise.data.items import RawData
from pixelwise.data.perceptual_hash import hash_picture
from pixelwise.data.readers import read_dataset
from pixelwise.params import Params
from pixelwise.progress import progress
from pixelwise.validation.class_looks import FEWEST_PICTURES, find_swapped_classes, measure_looks
from pixelwise.validation.mask_fit import describe_misfit, describe_misfit_of_split, find_scale, measure_agreement
from pixelwise.validation.near_duplicates import MOST_BITS

SHIFT = 0.02  # of the longer side
FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "right masks": np.asarray,
    "mirrored left to right": lambda mask: mask[:, ::-1],
    "mirrored top to bottom": lambda mask: mask[::-1],
    "turned by 180°": lambda mask: mask[::-1, ::-1],
    f"shifted by {SHIFT:.0%}": lambda mask: np.roll(mask, round(SHIFT * max(mask.shape)), 1),
}


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG at quality 50": lambda picture: Image.open(BytesIO(encode_picture(picture, "JPEG", quality=50))),
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "20 % lighter": lambda picture: picture.point(lambda value: min(255, 1.2 * value)),
    "cropped by 2 % a side": lambda picture: picture.crop(
        (picture.width // 50, picture.height // 50, picture.width * 49 // 50, picture.height * 49 // 50)
    ),
}


class ChecksParams(Params):
    """How much is tried."""

    spoilt_every: PositiveInt = 3
    """One of so many pictures is spoilt; all are tried as they are."""
    choices: PositiveInt = 1000
    """Random choices of pictures that are judged as a split."""


def run(
    params: ChecksParams,
    dataset: Annotated[str, "data set, such as camvid or voc"],
    root: Annotated[Path, "its folder"],
) -> str:
    """Print the share of pictures, of random splits and of pairs of classes that the checks name."""
    raw = read_dataset(dataset, root)
    items = list(raw.items)
    pairs = [read_pair(item, raw, MAX_PIXELS) for item in progress(items, f"read {dataset}")]
    random = np.random.default_rng(0)
    lines = [
        *describe_copies(raw, [image for image, _ in pairs]),
        *describe_masks(pairs, params, random),
        *describe_classes(raw, pairs, params, random),
    ]
    return "\n".join([f"{dataset}: {len(pairs)} pictures", *lines])


def describe_copies(raw: RawData, images: Sequence[np.ndarray]) -> Iterator[str]:
    """Yield the pictures of val that look like one of another split, and the share of changed copies that is found."""
    pictures = [Image.fromarray(image) for image in images]
    hashes = np.array([int(hash_picture(picture), 16) for picture in progress(pictures, "hashes")], np.uint64)
    is_val = np.array([item.split == "val" for item in raw.items])
    nearest = np.bitwise_count(hashes[is_val][:, None] ^ hashes[~is_val]).min(axis=1)
    yield f"val pictures within {MOST_BITS} bits of another split: {(nearest <= MOST_BITS).sum()} of {is_val.sum()}"
    for change, copy in COPIES.items():
        copies = np.array([int(hash_picture(copy(picture)), 16) for picture in pictures], np.uint64)
        yield f"{change}: {np.mean(np.bitwise_count(hashes ^ copies) <= MOST_BITS):.1%} of copies found"


def describe_masks(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], params: ChecksParams, random: np.random.Generator
) -> Iterator[str]:
    """Yield a line for each fault: the share that is named of masks, and of random splits of 10, 20 and 50 pictures."""
    for fault, spoil in FAULTS.items():
        tried = pairs[:: 1 if fault == "right masks" else params.spoilt_every]
        measured = [
            (measure_agreement(image, np.ascontiguousarray(spoil(label))), find_scale(label.shape))
            for image, label in progress(tried, fault)
        ]
        judged = [(agreement, scale) for agreement, scale in measured if agreement is not None]
        named = sum(describe_misfit(agreement, scale) is not None for agreement, scale in judged)
        shares = []
        for size in (10, 20, 50):
            choices = [random.choice(len(judged), size, replace=False) for _ in range(params.choices)]
            splits = ([judged[place][0] for place in choice] for choice in choices)
            shares.append(np.mean([describe_misfit_of_split(split, 1.0) is not None for split in splits]))
        of_splits = ", ".join(f"{share:.1%}" for share in shares)
        yield f"{fault}: {named} of {len(judged)} masks ({named / len(judged):.1%}); splits of 10, 20, 50: {of_splits}"


def describe_classes(
    raw: RawData, pairs: Sequence[tuple[np.ndarray, np.ndarray]], params: ChecksParams, random: np.random.Generator
) -> Iterator[str]:
    """Yield the random divisions in which classes look swapped, and the pairs of classes that are found if swapped."""
    classes = len(raw.classes)
    looks = np.stack([measure_looks(image, label, classes) for image, label in progress(pairs, "classes")])
    alarms = 0
    for _ in range(params.choices):
        order, size = random.permutation(len(looks)), int(random.integers(10, 120))
        alarms += bool(find_swapped_classes(looks[order[size:]], looks[order[:size]]))
    yield f"classes look swapped in {alarms} of {params.choices} random divisions"
    is_val = np.array([item.split == "val" for item in raw.items])
    seen = [(~np.isnan(looks[part][..., 0])).sum(axis=0) >= FEWEST_PICTURES for part in (is_val, ~is_val)]
    tried = list(combinations(np.flatnonzero(seen[0] & seen[1]).tolist(), 2))
    found = 0
    for one, other in tried:
        swapped = looks[is_val].copy()
        swapped[:, [one, other]] = swapped[:, [other, one]]
        named = find_swapped_classes(looks[~is_val], swapped)
        found += named.get(one) == other and named.get(other) == one
    yield f"swapped pairs of classes found in val: {found} of {len(tried)}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    command.main(run, argv=argv)


if __name__ == "__main__":
    main()
