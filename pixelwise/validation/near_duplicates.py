"""Near-duplicates across splits: pictures whose perceptual hashes differ in few bits."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

# On PASCAL VOC no two of 1,137 pictures are this near (646,000 pairs; the nearest differ in 9 bits), nor is a picture
# of CamVid's val near one of train (37,000 pairs). JPEG at quality 50, half the size, or 20 % more light stay within it
# for 99 to 100 % of both.
MOST_BITS = 6
# A hash with fewer bits of one kind is that of a plain surface or a plain gradient, which unrelated pictures share.
FEWEST_BITS = 8
PAIRS_AT_ONCE = 2**24


def find_near_duplicates(manifest: pd.DataFrame) -> pd.Series:
    """Name, for each picture, the nearest picture of another split within MOST_BITS; None if there is none.

    Equal pictures do not count, since another check reports them. False alarms: 0 of 201 pictures of the val splits of
    CamVid and PASCAL VOC. A crop of more than 2 % on every side and a mirrored copy are missed.
    """
    words = pd.Series(None, index=manifest.index, dtype=object)
    telling = manifest[[is_telling(digits) for digits in manifest["dhash"]]]
    hashes = np.array([int(digits, 16) for digits in telling["dhash"]], np.uint64)
    splits, pixels = (telling[name].to_numpy() for name in ("split", "image_sha256"))
    for start, rows in chunk(hashes):
        bits = np.bitwise_count(rows[:, None] ^ hashes)
        mine = slice(start, start + len(rows))
        bits[(splits[mine, None] == splits) | (pixels[mine, None] == pixels)] = 255
        nearest = bits.argmin(axis=1)
        for row in np.flatnonzero(bits[np.arange(len(rows)), nearest] <= MOST_BITS):
            other = telling.iloc[nearest[row]]
            words[telling.index[start + row]] = f"nearly equals {other['id']} ({other['split']})"
    return words


def is_telling(digits: str | None) -> bool:
    """Whether a hash has enough bits of both kinds to tell pictures apart."""
    return digits is not None and FEWEST_BITS <= int(digits, 16).bit_count() <= 64 - FEWEST_BITS


def chunk(hashes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (start, hashes from there): as many rows as keep a table against all hashes within PAIRS_AT_ONCE."""
    step = max(1, PAIRS_AT_ONCE // max(1, len(hashes)))
    for start in range(0, len(hashes), step):
        yield start, hashes[start : start + step]
