"""Run-length encoding of label maps as COCO has it: pixels column by column, runs of zeros and ones in turn."""

from typing import Any, Literal

import numpy as np

Counts = Literal["uncompressed", "compressed"]
# COCO's string holds 5 bits a character, from the lowest; a sixth says that more follow. 32-bit differences take 7.
BITS, MOST_CHARACTERS = 5, 7
MORE, SIGN, FIRST = 0x20, 0x10, 48


def segments(prediction: np.ndarray, names: tuple[str, ...], counts: Counts) -> list[dict[str, Any]]:
    """One entry a class found in the (H, W) uint8 `prediction`: its number, name, area and segmentation."""
    size = list(prediction.shape)
    found = []
    for index in np.unique(prediction).tolist():
        mask = prediction == index
        runs = run_lengths(mask)
        coded = compress(runs) if counts == "compressed" else runs.tolist()
        name = names[index] if index < len(names) else "void"
        segmentation = {"size": size, "counts": coded}
        found.append({"category_id": index, "name": name, "area": int(mask.sum()), "segmentation": segmentation})
    return found


def run_lengths(mask: np.ndarray) -> np.ndarray:
    """The lengths (R,) int64 of the runs of a (H, W) bool mask, zeros first: 0 where the first pixel is one."""
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [pixels.size]]))
    return np.concatenate([[0], runs]) if pixels[0] else runs


def compress(runs: np.ndarray) -> str:
    """COCO's string of the `runs`: from the fourth on, each less the one of its kind before."""
    values = runs.astype(np.int64)
    values[3:] -= runs[1:-2]
    rest = values[:, None] >> (BITS * np.arange(MOST_CHARACTERS))
    characters = rest & (2**BITS - 1)
    after = rest >> BITS
    goes_on = np.where(characters & SIGN, after != -1, after != 0)
    is_written = np.ones_like(goes_on)
    is_written[:, 1:] = np.logical_and.accumulate(goes_on[:, :-1], axis=1)
    coded = characters + FIRST + MORE * goes_on
    return coded[is_written].astype(np.uint8).tobytes().decode("ascii")
