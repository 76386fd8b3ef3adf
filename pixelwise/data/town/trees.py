"""Trees, as cut-out pictures turned to the camera (billboards), and pictures of hedges."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.town.camera import Camera
from pixelwise.data.town.classes import TREE
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.texture import Texture, convert_to_uint8, cut_grain, make_smooth_noise

ROWS, COLUMNS = 224, 176
LEAVES = np.array(
    [[78, 110, 50], [92, 120, 54], [58, 92, 52], [110, 124, 60], [166, 122, 50], [130, 90, 48], [48, 76, 54]],
    np.float32,
)
# A crown has no single normal; an upward one makes its brightness independent of the view.
CROWN_NORMAL = np.array([0.0, 0.75, 0.0])


@dataclass(frozen=True)
class Tree:
    """A tree: position of the trunk, size in metres, and picture."""

    position: np.ndarray
    width: float
    height: float
    texture: Texture
    instance: int

    def quads(self, camera: Camera) -> list[Quad]:
        """Make the tree's picture, turned to the camera."""
        return [
            make_billboard(
                camera, self.position, self.width, self.height, self.texture, TREE, self.instance, CROWN_NORMAL
            )
        ]


def make_billboard(
    camera: Camera,
    position: np.ndarray,
    width: float,
    height: float,
    texture: Texture,
    label: int,
    instance: int,
    normal: np.ndarray | None = None,
) -> Quad:
    """Make a vertical picture above `position`, turned about its vertical axis to the camera."""
    away = (position - camera.position) * np.array([1, 0, 1])
    right = np.array([away[2], 0, -away[0]]) / max(float(np.hypot(away[0], away[2])), 1e-6) * width
    top = position - right / 2 + np.array([0, height, 0])
    return Quad(top, right, np.array([0, -height, 0]), texture, label, instance, normal)


def draw_crown(rng: np.random.Generator, kind: str) -> np.ndarray:
    """Draw clumps (n, 3) of x, y and radius, as fractions of the picture."""
    if kind == "cone":
        y = np.linspace(0.05, 0.78, 10)
        return np.stack([0.5 + rng.normal(0, 0.03, 10), y, 0.05 + 0.22 * y], axis=1)
    if kind == "column":
        y = np.linspace(0.12, 0.74, 8)
        return np.stack([0.5 + rng.normal(0, 0.03, 8), y, rng.uniform(0.12, 0.2, 8)], axis=1)
    turn, far = rng.uniform(0, 2 * np.pi, 9), rng.uniform(0.1, 0.3, 9)
    return np.stack([0.5 + far * np.cos(turn), 0.36 + 0.8 * far * np.sin(turn), rng.uniform(0.13, 0.21, 9)], axis=1)


def draw_tree_picture(rng: np.random.Generator) -> Texture:
    """Draw a tree of random kind: trunk, branches, and leaves that are lighter where a clump faces the sky."""
    kind = rng.choice(["round", "round", "round", "cone", "column"])
    leaf = LEAVES[rng.integers(len(LEAVES))] * rng.uniform(0.85, 1.1)
    picture = Image.new("RGBA", (COLUMNS, ROWS), (*(int(value) for value in leaf * 0.7), 0))
    pen = ImageDraw.Draw(picture)
    clumps = draw_crown(rng, str(kind))
    bark = tuple(int(value) for value in np.array([82, 66, 52]) * rng.uniform(0.7, 1.2))
    foot = COLUMNS / 2
    pen.polygon([(foot - 7, ROWS), (foot - 4, ROWS * 0.5), (foot + 4, ROWS * 0.5), (foot + 7, ROWS)], (*bark, 255))
    for x, y, _ in clumps[:5]:
        pen.line((foot, ROWS * 0.62, x * COLUMNS, y * ROWS), (*bark, 255), 3)
    draw_leaves(rng, pen, clumps, leaf)
    return Texture.from_picture(add_grain(rng, picture))


def draw_leaves(rng: np.random.Generator, pen: ImageDraw.ImageDraw, clumps: np.ndarray, leaf: np.ndarray) -> None:
    """Draw tufts of leaves over the clumps: dark ones first and lower, light ones last and higher."""
    count = 320
    home = clumps[rng.integers(len(clumps), size=count)]
    turn, far = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    x, y = home[:, 0] + home[:, 2] * far * np.cos(turn), home[:, 1] + 0.85 * home[:, 2] * far * np.sin(turn)
    facing = -far * np.sin(turn) - 0.9 * (y - clumps[:, 1].mean()) / 0.5 + rng.normal(0, 0.35, count)
    tone = np.clip(0.8 + 0.3 * facing, 0.35, 1.4)
    size = rng.uniform(3.5, 8.0, count)
    for i in np.argsort(facing):
        box = (
            x[i] * COLUMNS - size[i],
            y[i] * ROWS - size[i] * 0.8,
            x[i] * COLUMNS + size[i],
            y[i] * ROWS + size[i] * 0.8,
        )
        pen.ellipse(box, (*(int(value) for value in np.clip(leaf * tone[i], 0, 255)), 255))


def add_grain(rng: np.random.Generator, picture: Image.Image) -> np.ndarray:
    """Add leaf grain to `picture`, and holes in the crown through which the background shows."""
    pixels = np.array(picture)
    noise = rng.normal(0, 1, (ROWS, COLUMNS)).astype(np.float32)
    pixels[..., :3] = convert_to_uint8(
        pixels[..., :3] * (1 + 0.13 * noise + 0.08 * cut_grain(rng, ROWS, COLUMNS))[..., None]
    )
    holes = make_smooth_noise(rng, ROWS, COLUMNS, cells=26) + 0.25 * noise > 1.05
    pixels[: int(ROWS * 0.6), :, 3][holes[: int(ROWS * 0.6)]] = 0
    return pixels


def draw_hedge_picture(rng: np.random.Generator) -> Texture:
    """Draw leaves with a ragged upper edge."""
    rows, columns = 48, 160
    leaf = LEAVES[rng.integers(4)] * rng.uniform(0.7, 1.0)
    noise = rng.normal(0, 1, (rows, columns)).astype(np.float32)
    tone = 1 + 0.14 * noise + 0.16 * make_smooth_noise(rng, rows, columns, 9) - 0.35 * (np.arange(rows) / rows)[:, None]
    edge = 3 + 2.5 * make_smooth_noise(rng, columns, 2, 9)[:, 0] + noise[0] * 0.8
    alpha = np.where(np.arange(rows)[:, None] >= edge, 255, 0)
    return Texture.from_picture(np.dstack([convert_to_uint8(leaf * tone[..., None]), alpha.astype(np.uint8)]))
