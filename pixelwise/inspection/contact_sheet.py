"""Small pictures under their masks, for the page on which a person sees whether both fit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from pixelwise.data.even_sample import sample_evenly
from pixelwise.data.image_codec import encode_picture
from pixelwise.reporting.label_images import Palette, overlay
from pixelwise.validation.verdict import Finding

BOX = (320, 240)  # pixels: the width and height that a small picture is fitted into
MOST_TILES, MOST_FAULTY = 36, 12
FAULTY_A_CHECK = 4


@dataclass(frozen=True)
class Tile:
    """One item of the sheet. picture, masked: JPEGs, the second under its mask, None without one. faults: in words."""

    id: str
    split: str
    size: str
    classes: tuple[int, ...]
    picture: bytes
    masked: bytes | None
    faults: tuple[str, ...] = ()


def draw_tile(row: Mapping[str, Any], image: np.ndarray, label: np.ndarray, palette: Palette) -> Tile:
    """Draw the tile of an item: its manifest `row`, image (H, W, 3) and label (H, W); no `palette` means no labels."""
    scale = min(1.0, BOX[0] / image.shape[1], BOX[1] / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    masked = None
    if palette:
        mask = np.asarray(Image.fromarray(label).resize(size, Image.Resampling.NEAREST))
        masked = encode_picture(overlay(small, mask, palette), "JPEG", quality=80)
    picture = encode_picture(small, "JPEG", quality=80)
    shown = f"{row['width']}×{row['height']}"
    return Tile(row["id"], row["split"], shown, tuple(row["classes"]), picture, masked)


def choose_tiles(tiles: Sequence[Tile], findings: Iterable[Finding]) -> list[Tile]:
    """Choose the tiles of the page: first those with a fault, then others that show every split and class.

    Of each failed check the first FAULTY_A_CHECK items count. The choice depends on nothing but the arguments.
    """
    faults = name_faults(findings)
    faulty = [replace(tile, faults=tuple(faults[tile.id])) for tile in tiles if tile.id in faults][:MOST_FAULTY]
    others = [tile for tile in tiles if tile.id not in faults]
    kept = {tile.id for tile in spread(others, MOST_TILES - len(faulty))}
    return [*faulty, *(tile for tile in others if tile.id in kept)]


def name_faults(findings: Iterable[Finding]) -> dict[str, list[str]]:
    """Item id -> the names of the checks that it failed, for the first FAULTY_A_CHECK items of each check."""
    faults: dict[str, list[str]] = {}
    for finding in findings:
        if not finding.passed and finding.table in ("items", "sample"):
            for item in dict.fromkeys(finding.items[:FAULTY_A_CHECK]):
                faults.setdefault(item, []).append(finding.name)
    return faults


def spread(tiles: Sequence[Tile], most: int) -> list[Tile]:
    """Choose at most `most` tiles: one that shows each class, then the same number of each split, evenly spread."""
    seen: set[int] = set()
    chosen: dict[str, Tile] = {}
    for tile in tiles:
        if not seen.issuperset(tile.classes) and len(chosen) < most:
            chosen[tile.id] = tile
            seen |= set(tile.classes)
    splits = [[tile for tile in tiles if tile.split == name] for name in dict.fromkeys(tile.split for tile in tiles)]
    for mine in splits:
        for place in sample_evenly(len(mine), most // len(splits)):
            if len(chosen) < most:
                chosen.setdefault(mine[place].id, mine[place])
    return list(chosen.values())
