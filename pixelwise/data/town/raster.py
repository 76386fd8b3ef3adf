"""Rasterise textured parallelograms with a z-buffer: one pass gives colour, class, instance and depth.

The ray d of a pixel meets a parallelogram with corner O and edges U, V where λd = O + sU + tV. Thus
(s, t, 1) / λ = [U V O]⁻¹ d is linear in the pixel: three planes give position, texture and inverse depth.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pixelwise.data.town.camera import Camera
from pixelwise.data.town.classes import SKY
from pixelwise.data.town.light import Light
from pixelwise.data.town.texture import Texture

NEAR = 0.3
"""Metres; what is nearer to the camera's plane is not drawn."""


@dataclass(frozen=True)
class Quad:
    """A textured parallelogram, visible only from its front. origin: top left corner; right, down: edges (metres).

    normal: the normal for lighting, if it differs from the geometric one (a tree's crown is lit unlike a wall).
    """

    origin: np.ndarray
    right: np.ndarray
    down: np.ndarray
    texture: Texture
    label: int
    instance: int = 0
    normal: np.ndarray | None = None


@dataclass(frozen=True)
class Cover:
    """The pixels of a canvas window that a quad covers. s, t: texture position; inverse_depth: 1 / metres; all (n,)."""

    window: tuple[slice, slice]
    mask: np.ndarray
    s: np.ndarray
    t: np.ndarray
    inverse_depth: np.ndarray

    def where(self, keep: np.ndarray) -> "Cover":
        """Keep only the covered pixels for which `keep` (n,) bool is true."""
        mask = self.mask.copy()
        mask[mask] = keep
        return Cover(self.window, mask, self.s[keep], self.t[keep], self.inverse_depth[keep])


class Canvas:
    """The buffers of one view, (H, W) each: nearest surface, its texel, inverse depth and brightness."""

    def __init__(self, camera: Camera, light: Light) -> None:
        shape = camera.height, camera.width
        self.camera = camera
        self.light = light
        self.inverse_depth = np.zeros(shape, np.float32)
        self.texel = np.zeros(shape, np.uint32)
        self.surface = np.zeros(shape, np.uint16)
        self.brightness = np.ones(shape, np.float32)
        # Surface 0 is the sky: pixels that no quad covers.
        self.labels, self.instances, self.shades = [SKY], [0], [np.zeros(3, np.float32)]

    def add_surface(self, label: int, instance: int, shade: np.ndarray) -> int:
        """Add a surface and return its number for the surface buffer."""
        self.labels.append(label)
        self.instances.append(instance)
        self.shades.append(shade)
        return len(self.labels) - 1

    def draw(self, quads: Sequence[Quad]) -> None:
        """Draw the visible `quads`, nearest first, so that hidden pixels need no texture look-up."""
        views = project(self.camera, quads)
        for index in np.argsort(views.depth, kind="stable"):
            if self.hides(views, index):
                continue
            quad = quads[views.index[index]]
            cover = self.cover(views, index)
            if not len(cover.s):
                continue
            texel = quad.texture.sample(cover.s, cover.t, quad.texture.level(views.area[index]))
            opaque = texel >= np.uint32(128 << 24)
            if not opaque.all():
                cover, texel = cover.where(opaque), texel[opaque]
            shade = self.light.shade(views.normal[index] if quad.normal is None else quad.normal)
            self.write(cover, texel, self.add_surface(quad.label, quad.instance, shade))

    def hides(self, views: "Views", index: int) -> bool:
        """Whether the whole box of view `index` already shows surfaces nearer than the view's nearest corner."""
        x0, y0, x1, y1 = views.box[index]
        depth = views.depth[index]
        return bool(depth > NEAR and self.inverse_depth[y0:y1, x0:x1].min() * depth > 1)

    def cover(self, views: "Views", index: int) -> Cover:
        """Find the pixels that view `index` covers and no nearer surface hides."""
        x0, y0, x1, y1 = views.box[index]
        window = slice(y0, y1), slice(x0, x1)
        a, b, c = views.planes[index].T[:, :, None]
        columns = (a * (np.arange(x0, x1) + 0.5)).astype(np.float32)
        rows = (b * (np.arange(y0, y1) + 0.5) + c).astype(np.float32)
        s, t, inverse = (columns[k] + rows[k][:, None] for k in range(3))
        mask = inverse > self.inverse_depth[window]
        for inside in (s >= 0, s <= inverse, t >= 0, t <= inverse, inverse < 1 / NEAR):
            mask &= inside
        inverse = inverse[mask]
        return Cover(window, mask, s[mask] / inverse, t[mask] / inverse, inverse)

    def write(self, cover: Cover, texel: np.ndarray, surface: int | np.ndarray) -> None:
        """Write texels (n,) and surface numbers to the covered pixels, and reset their brightness to 1."""
        self.inverse_depth[cover.window][cover.mask] = cover.inverse_depth
        self.texel[cover.window][cover.mask] = texel
        self.surface[cover.window][cover.mask] = surface
        self.brightness[cover.window][cover.mask] = 1

    def darken(self, decals: Sequence[Quad]) -> None:
        """Darken the surfaces drawn so far behind `decals` by the decals' alpha; decals lie just above the ground."""
        views = project(self.camera, decals)
        for index, number in enumerate(views.index):
            cover = self.cover(views, index)
            texture = decals[number].texture
            alpha = texture.sample(cover.s, cover.t, texture.level(views.area[index])) >> np.uint32(24)
            self.brightness[cover.window][cover.mask] *= 1 - alpha.astype(np.float32) / 255


@dataclass(frozen=True)
class Views:
    """The quads that a camera sees; quads out of view or facing away are left out.

    index: (n,) index of the quad; box: (n, 4) pixels x0 y0 x1 y1; planes: (n, 3, 3) of s/λ, t/λ, 1/λ over (x, y, 1);
    depth: (n,) of the nearest corner; area: (n,) pixels, 0 if a corner is nearer than NEAR; normal: (n, 3).
    """

    index: np.ndarray
    box: np.ndarray
    planes: np.ndarray
    depth: np.ndarray
    area: np.ndarray
    normal: np.ndarray


def project(camera: Camera, quads: Sequence[Quad]) -> Views:
    """Project `quads` to views, in their order."""
    origin, right, down = (np.array([getattr(quad, part) for quad in quads]).reshape(-1, 3) for part in CORNER)
    normal = np.cross(right, down)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    faces = ((camera.position - origin) * normal).sum(1) > 1e-3
    corners = camera.see(np.stack([origin, origin + right, origin + right + down, origin + down], axis=1))
    box = find_bounding_boxes(camera, corners)
    seen = np.flatnonzero(faces & (box[:, 0] < box[:, 2]) & (box[:, 1] < box[:, 3]))
    corners, nearest = corners[seen], corners[seen, :, 2].min(1)
    edges = np.stack([corners[:, 1] - corners[:, 0], corners[:, 3] - corners[:, 0], corners[:, 0]], axis=2)
    return Views(
        index=seen,
        box=box[seen],
        planes=np.linalg.inv(edges) @ make_pixel_to_ray(camera),
        depth=nearest,
        area=np.where(nearest > NEAR, measure_projected_area(camera, corners), 0),
        normal=normal[seen],
    )


CORNER = ("origin", "right", "down")


def make_pixel_to_ray(camera: Camera) -> np.ndarray:
    """Make the (3, 3) matrix from pixel (x, y, 1) to its ray in camera coordinates with z = 1."""
    cx, cy = camera.centre
    return np.array([[1, 0, -cx], [0, 1, -cy], [0, 0, camera.focal]]) / camera.focal


def project_points(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Project `points` (..., 3) in camera coordinates, all in front of the camera, to pixels (..., 2)."""
    return points[..., :2] / points[..., 2:] * camera.focal + np.array(camera.centre)


def find_bounding_boxes(camera: Camera, corners: np.ndarray) -> np.ndarray:
    """Compute pixel boxes (n, 4) x0 y0 x1 y1 of quads (n, 4, 3), cut at near plane and image; empty if out of view."""
    following = np.roll(corners, -1, axis=1)
    depth, depth_next = corners[..., 2:], following[..., 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        cuts = corners + (following - corners) * ((NEAR - depth) / (depth_next - depth))
    crossing = (depth < NEAR) != (depth_next < NEAR)
    points = np.concatenate([corners, cuts], axis=1)
    valid = np.concatenate([depth >= NEAR, crossing], axis=1)
    pixels = project_points(camera, np.where(valid, points, 1.0))
    low = np.floor(np.where(valid, pixels, np.inf).min(1))
    high = np.ceil(np.where(valid, pixels, -np.inf).max(1))
    limit = np.array([camera.width, camera.height])
    return np.concatenate([np.clip(low, 0, limit), np.clip(high, 0, limit)], axis=1).astype(int)


def measure_projected_area(camera: Camera, corners: np.ndarray) -> np.ndarray:
    """Compute the area (n,) in pixels of quads (n, 4, 3) in front of the camera, including parts outside the image."""
    x, y = np.moveaxis(project_points(camera, np.where(corners[..., 2:] > NEAR, corners, 1.0)), 2, 0)
    return np.abs((x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(1)) / 2
