"""Small pictures of items that failed a check: the image beside its coloured label."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from pixelwise.data.image_codec import encode_picture
from pixelwise.data.prepared import PreparedData
from pixelwise.reporting.label_images import Palette, colourise
from pixelwise.validation.verdict import Finding

HEIGHT = 110
MOST_ITEMS = 12
ITEMS_A_CHECK = 4


def choose_failing_items(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """Item id -> names of its failed checks: the first ITEMS_A_CHECK items of each failed check, at most MOST_ITEMS.

    Only checks on the tables `items` and `sample` count.
    """
    failed: dict[str, list[str]] = {}
    for finding in findings:
        if finding.table in ("items", "sample") and not finding.passed:
            for item in dict.fromkeys(finding.items[:ITEMS_A_CHECK]):
                failed.setdefault(item, []).append(finding.name)
    return dict(list(failed.items())[:MOST_ITEMS])


def make_thumbnails(data: PreparedData, ids: Sequence[str]) -> dict[str, bytes]:
    """Item id -> JPEG thumbnail; unknown ids are left out. Raises DataError if a shard is damaged."""
    remaining, thumbnails = set(ids), {}
    for name in data.splits:
        split = data.split(name)
        for index, row in enumerate(split.rows):
            if row["id"] in remaining and row["id"] not in thumbnails:
                thumbnails[row["id"]] = make_thumbnail(split.image(index), split.label(index), data.classes.palette)
    return {item: thumbnails[item] for item in ids if item in thumbnails}


def make_thumbnail(image: np.ndarray, label: np.ndarray, palette: Palette) -> bytes:
    """Draw `image` and `label` side by side, HEIGHT pixels high, as JPEG."""
    size = (max(1, round(HEIGHT * image.shape[1] / image.shape[0])), HEIGHT)
    photo = Image.fromarray(image).resize(size, Image.Resampling.BILINEAR)
    colours = Image.fromarray(colourise(label, palette)).resize(size, Image.Resampling.NEAREST)
    both = Image.new("RGB", (2 * size[0] + 2, HEIGHT), "white")
    both.paste(photo, (0, 0))
    both.paste(colours, (size[0] + 2, 0))
    return encode_picture(both, "JPEG", quality=80)
