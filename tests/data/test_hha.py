"""HHA: a room whose every distance is known, the generated town, and a photographed scene."""

import io
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.hha import Camera, encode_hha, estimate_gravity
from pixelwise.data.town import TownParams
from pixelwise.data.town.camera import Camera as TownCamera
from pixelwise.data.town.classes import CLASSES
from pixelwise.data.town.clips import draw_clip, render_frame
from pixelwise.errors import DataError

CAMERA = Camera(focal=(260.0, 255.0), cx=158.3, cy=121.7)
SHAPE = (240, 320)
FLOOR, CEILING, WALL = 38, 218, 128


class Room(NamedTuple):
    """What a camera in a box room sees. depth: (H, W) metres; height over the floor in metres; down: its gravity."""

    depth: np.ndarray
    height: np.ndarray
    down: np.ndarray
    is_inner: np.ndarray

    def surface(self, low: float, high: float) -> np.ndarray:
        """Where a surface from height `low` to `high` is seen, away from every edge of the room."""
        return self.is_inner & (self.height >= low) & (self.height <= high)


def turned(pitch: float, roll: float, yaw: float) -> np.ndarray:
    """(3, 3): room directions (y down) to camera directions; degrees, pitch downwards."""
    p, r, t = np.radians((pitch, roll, yaw))
    tilt = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turn = np.array([[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]])
    return lean @ tilt @ turn


def room(pitch: float = 8, roll: float = 0, yaw: float = 25) -> Room:
    """A room 4 m wide, 2.4 m high and 5 m long, from 1.4 m above its floor."""
    rotation = turned(pitch, roll, yaw)
    x, y = np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0]))
    rays = np.stack([(x - CAMERA.cx) / CAMERA.focal[0], (y - CAMERA.cy) / CAMERA.focal[1], np.ones(SHAPE)], axis=-1)
    seen = rays @ rotation
    low, high = np.array([-1.6, -1.0, -1.5]), np.array([2.4, 1.4, 3.5])
    reach = np.where(seen > 0, high, low) / seen
    near = np.sort(reach, axis=-1)
    depth = near[..., 0]
    return Room(depth, 1.4 - depth * seen[..., 1], rotation[:, 1], near[..., 1] - near[..., 0] > 0.06 * depth)


def degrees_between(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(a @ b, -1, 1))))


@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (8, 0), (-12, 6), (20, -15), (30, 20)])
def test_gravity_is_found_from_depth_alone(pitch, roll):
    seen = room(pitch, roll)
    assert degrees_between(estimate_gravity(seen.depth, CAMERA), seen.down) < 1


def test_floor_wall_and_ceiling_have_their_angles():
    seen = room(pitch=0, roll=5)
    angle = encode_hha(seen.depth, CAMERA)[..., 2].astype(int)
    for low, high, expected in ((-0.01, 0.01, FLOOR), (0.1, 2.3, WALL), (2.39, 2.41, CEILING)):
        surface = seen.surface(low, high)
        assert surface.sum() > 1000
        assert np.abs(angle[surface] - expected).max() <= 2


def test_heights_are_right_to_a_few_centimetres():
    seen = room(pitch=12, roll=-8)
    height = encode_hha(seen.depth, CAMERA)[..., 1].astype(float)
    assert np.abs(height - 100 * seen.height)[seen.height < 2.5].max() < 4


def test_disparity_is_310_over_metres_and_fits_a_byte():
    depth = np.full(SHAPE, 2.0)
    depth[:, ::2], depth[0] = 31.0, 0.3
    disparity = encode_hha(depth, CAMERA)[..., 0]
    assert (disparity[1:, 1::2] == 155).all()
    assert (disparity[1:, ::2] == 10).all()
    assert (disparity[0] == 255).all()


@pytest.mark.parametrize("roll", [-25, -10, 10, 25])
def test_a_rolled_camera_sees_the_same_heights_and_angles(roll):
    level, rolled = room(roll=0), room(roll=roll)
    for low, high in ((-0.01, 0.01), (0.5, 0.6), (1.5, 1.6)):
        means = [encode_hha(seen.depth, CAMERA)[seen.surface(low, high), 1:].mean(axis=0) for seen in (level, rolled)]
        assert np.abs(means[0] - means[1]).max() < 2


def test_noise_and_holes_leave_gravity_and_floor_where_they_are():
    rng, seen = np.random.default_rng(0), room(pitch=10, roll=4)
    holes = rng.random(SHAPE) < 0.3
    noisy = np.where(holes, np.nan, seen.depth * rng.normal(1, 0.002, SHAPE))
    assert degrees_between(estimate_gravity(np.nan_to_num(noisy), CAMERA), seen.down) < 1
    floor = seen.surface(-0.01, 0.01) & ~holes
    _, height, angle = np.median(encode_hha(noisy, CAMERA)[floor], axis=0)
    assert height < 8
    assert abs(angle - FLOOR) < 8


def test_one_wall_alone_leaves_gravity_at_the_pictures_down_axis():
    rng = np.random.default_rng(0)
    assert degrees_between(estimate_gravity(3 + 0.001 * rng.random(SHAPE), CAMERA), np.array([0, 1, 0])) < 1


@pytest.mark.parametrize("unknown", [np.nan, 0, -1, np.inf])
def test_unknown_depth_is_zero_in_every_channel_and_changes_nothing_far_from_it(unknown):
    seen = room()
    hole = seen.depth.copy()
    hole[100:140, 100:160] = unknown
    whole, holed = encode_hha(seen.depth, CAMERA).astype(int), encode_hha(hole, CAMERA).astype(int)
    assert (holed[100:140, 100:160] == 0).all()
    assert np.abs(whole - holed)[:80].max() <= 1


def test_a_lone_pixel_has_a_disparity_and_no_angle():
    depth = np.zeros(SHAPE)
    depth[50, 60] = 2
    assert encode_hha(depth, CAMERA)[50, 60].tolist() == [155, 0, 0]


def test_whole_numbers_and_half_precision_are_depths_too():
    depth = np.round(room().depth * 2)
    expected = encode_hha(depth, CAMERA)
    for kind in (np.uint8, np.float16, np.float32):
        assert np.array_equal(encode_hha(depth.astype(kind), CAMERA), expected)


@pytest.mark.parametrize(
    ("depth", "focal", "message"),
    [
        (np.full((4, 5), np.nan), (1, 1), "depth: found no known pixel, expected metres"),
        (np.ones((4, 5, 1)), (1, 1), r"depth: shape \(4, 5, 1\), expected \(height, width\)"),
        (np.ones((4, 5)), (0, 1), r"camera: focal lengths \(0, 1\), expected two positive"),
        (np.ones((4, 5)), (1, np.nan), r"camera: focal lengths \(1, nan\), expected two positive"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(depth, focal, message):
    with pytest.raises(DataError, match=message) as error:
        encode_hha(depth, Camera(focal, 2, 2))
    assert "\n" not in str(error.value)


class Frame(NamedTuple):
    """A frame of the town: label (H, W), depth (H, W) in metres with 0 for the sky, hha (H, W, 3), and its camera."""

    label: np.ndarray
    depth: np.ndarray
    hha: np.ndarray
    camera: TownCamera

    def median(self, name: str) -> list[float]:
        """The median of each channel over class `name`."""
        return np.median(self.hha[self.label == CLASSES.names.index(name)], axis=0).tolist()


@pytest.fixture(scope="module", params=range(4))
def frame(request) -> Frame:
    clip = draw_clip(TownParams(), "train", request.param)
    item = render_frame(clip, "a", "train", 0)
    label, depth, encoded = (
        np.asarray(Image.open(io.BytesIO(data))) for data in (item.label, item.layers["depth"], item.layers["hha"])
    )
    return Frame(label, depth / 100, encoded, clip.motion.camera(0))


def test_the_towns_gravity_is_its_cameras(frame):
    cx, cy = frame.camera.centre
    found = estimate_gravity(frame.depth, Camera((frame.camera.focal, frame.camera.focal), cx - 0.25, cy - 0.25))
    assert degrees_between(found, frame.camera.rotation @ np.array([0, -1, 0])) < 0.3


def test_the_towns_road_lies_on_the_ground_and_its_houses_stand(frame):
    _, height, angle = frame.median("road")
    assert height <= 5
    assert abs(angle - FLOOR) <= 1
    assert abs(frame.median("building")[2] - WALL) <= 2


def test_the_towns_sky_is_unknown(frame):
    assert (frame.hha[frame.depth == 0] == 0).all()
    assert (frame.hha[frame.depth > 0][:, 2] > 0).mean() > 0.99


def test_a_photographed_garage_has_its_floor_below_and_its_wall_upright():
    """Middlebury's Motorcycle, measured by structured light: 994.978 px, baseline 193.001 mm, offset 31.086 px."""
    data = pytest.importorskip("skimage.data")
    try:
        _, _, disparity = data.stereo_motorcycle()
    except (ImportError, OSError) as error:
        pytest.skip(f"the photograph is not in this scikit-image: {error}")
    depth = 994.978 * 0.193001 / (disparity + 31.086)
    encoded = encode_hha(depth, Camera((994.978, 994.978), 311.193, 254.877))
    assert (encoded[~np.isfinite(disparity)] == 0).all()
    _, height, angle = np.median(encoded[460:], axis=(0, 1))
    assert height <= 2
    assert abs(angle - FLOOR) <= 3
    # A sheet of paper on the door.
    assert abs(np.median(encoded[20:80, 190:280, 2]) - WALL) <= 3
