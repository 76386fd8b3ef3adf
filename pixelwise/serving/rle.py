"""Run-length encoding of label maps as COCO has it: pixels column by column, runs of zeros and ones in turn."""

from typing import Any, Literal

import numpy as np

Counts = Literal["uncompressed", "compressed"]


def list_segments(prediction: np.ndarray, names: tuple[str, ...], counts: Counts) -> list[dict[str, Any]]:
    """One entry a class found in the (H, W) uint8 `prediction`: its number, name, area and segmentation."""
    encode = compress if counts == "compressed" else count_runs
    segments = []
    for index in np.unique(prediction).tolist():
        mask = prediction == index
        name = names[index] if index < len(names) else "void"
        segmentation = {"size": list(prediction.shape), "counts": encode(mask)}
        segments.append({"category_id": index, "name": name, "area": int(mask.sum()), "segmentation": segmentation})
    return segments


def count_runs(mask: np.ndarray) -> list[int]:
    """The lengths of the runs of a (H, W) bool mask, zeros first: 0 where the first pixel is one."""
    pixels = mask.ravel(order="F")
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [pixels.size]])).tolist()
    return [0, *runs] if pixels[0] else runs


def compress(mask: np.ndarray) -> str:
    """COCO's string of the runs of a (H, W) bool mask."""
    from pycocotools.mask import encode

    return str(encode(np.asfortranarray(mask, np.uint8))["counts"], "ascii")
