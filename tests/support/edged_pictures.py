"""Pictures whose masks have edges to follow: shapes of class colours on a ground."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from support.image_sets import save, write_folder

COLOURS = ((60, 110, 60), (190, 60, 50), (60, 80, 200))


def draw_shapes(seed: int, size: tuple[int, int] = (96, 128)) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W, 3) uint8 and its mask (H, W) uint8: an ellipse of class 1 and a box of class 2 on class 0."""
    random, (height, width) = np.random.default_rng(seed), size
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    for value, shape in ((1, draw.ellipse), (2, draw.rectangle)):
        left, top = random.integers(4, width // 2), random.integers(4, height // 2)
        shape((int(left), int(top), int(left + width // 3), int(top + height // 3)), fill=value)
    label = np.asarray(mask)
    flat = np.asarray(COLOURS, np.float32)[label] + random.normal(0, 8, (height, width, 3))
    image = Image.fromarray(flat.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
    return np.asarray(image), label


CLASSES = {"names": ["ground", "disc", "box"], "colours": [list(colour) for colour in COLOURS]}


def write_shapes(root, spoil=np.asarray, train=12, val=6, size=(96, 128)):
    """The plain layout: shapes in train and val; `spoil` changes the masks of val."""
    write_folder(root, [], **CLASSES)
    for seed in range(train + val):
        split = "train" if seed < train else "val"
        image, label = draw_shapes(seed, size)
        save(Image.fromarray(image), root / split / "images" / f"{seed}.jpg")
        label = spoil(label) if split == "val" else label
        save(Image.fromarray(np.ascontiguousarray(label)), root / split / "masks" / f"{seed}.png")
    return root
