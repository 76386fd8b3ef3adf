"""The clips of the town: one street each, rendered frame by frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from pydantic import Field

from pixelwise.data import hha
from pixelwise.data.image_codec import encode_picture
from pixelwise.data.items import Item, RawData
from pixelwise.data.town.camera import Camera
from pixelwise.data.town.classes import CLASSES, VOID
from pixelwise.data.town.ground import Ground, draw_ground
from pixelwise.data.town.layout import Town, draw_town
from pixelwise.data.town.light import Light, draw_light
from pixelwise.data.town.motion import FRAME_SECONDS, KINDS, Motion, draw_motion
from pixelwise.data.town.people import Person
from pixelwise.data.town.picture import FINE, Lens, develop, draw_lens, make_maps
from pixelwise.data.town.raster import Canvas
from pixelwise.data.town.shadows import make_car_shadows, make_person_shadows
from pixelwise.data.town.street import draw_street
from pixelwise.data.town.traffic import draw_cars, draw_people, keeps_clear
from pixelwise.data.town.vehicles import Car
from pixelwise.params import Params

SPLITS = ("train", "val", "test")


class TownParams(Params):
    """The generated town: numbers of clips and frames, and the frame size."""

    seed: int = Field(0, ge=0, description="seed of the town; each seed gives another town")
    train_clips: int = Field(20, gt=0, le=1000, description="clips for training")
    val_clips: int = Field(5, gt=0, le=1000, description="clips for validation")
    test_clips: int = Field(4, gt=0, le=1000, description="clips for testing")
    frames: int = Field(8, gt=0, le=80, description="frames per clip, 8 per second")
    width: int = Field(256, ge=64, le=2048, description="width of a frame in pixels")
    height: int = Field(192, ge=64, le=2048, description="height of a frame in pixels")


@dataclass(frozen=True)
class Clip:
    """One street, its traffic and its camera. seeds: unique to the clip; a frame's noise adds the frame number."""

    seeds: tuple[int, ...]
    light: Light
    lens: Lens
    motion: Motion
    town: Town
    ground: Ground
    cars: list[Car]
    people: list[Person]


@dataclass(frozen=True)
class TownItems:
    """All frames of all clips, rendered on demand."""

    params: TownParams

    def __len__(self) -> int:
        return self.params.frames * sum(clips for _, clips in count_clips(self.params))

    def __iter__(self) -> Iterator[Item]:
        for split, clips in count_clips(self.params):
            for number in range(clips):
                clip = draw_clip(self.params, split, number)
                for frame in range(self.params.frames):
                    yield render_frame(clip, f"{split}_{number:03d}", split, frame)


def generate(params: TownParams) -> RawData:
    """Generate the town of `params`: street clips with the layers instance, depth, geometry and hha.

    A clip depends on the seed, its split, its number and the frames' number and size, but not on the numbers of clips,
    so more clips do not change the others. depth is along the optical axis, in centimetres, 0 for the sky. instance
    numbers trees, hedges, poles, signs, cars and people throughout a clip, 0 for the rest and the void band. hha is
    computed from depth and the camera, 0 for the sky.
    """
    values = {value: value for value in (*range(len(CLASSES.names)), VOID)}
    return RawData(name="town", classes=CLASSES, items=TownItems(params), label_values=values)


def count_clips(params: TownParams) -> tuple[tuple[str, int], ...]:
    """(split, number of clips) of each split."""
    return tuple(zip(SPLITS, (params.train_clips, params.val_clips, params.test_clips), strict=True))


def draw_clip(params: TownParams, split: str, number: int) -> Clip:
    """Draw clip `number` of `split`; the four kinds of camera motion alternate by number."""
    seeds = params.seed, SPLITS.index(split), number
    rng = np.random.default_rng(seeds)
    light, street, ids = draw_light(rng), draw_street(rng), count(1)
    motion = draw_motion(rng, KINDS[number % len(KINDS)], street, params.width, params.height, params.frames)
    town = draw_town(rng, street, light, ids)
    clear = Town(
        walls=town.walls,
        trees=[tree for tree in town.trees if keeps_clear(tree.position, motion, 3.0)],
        posts=[post for post in town.posts if keeps_clear(post.position, motion, 2.0)],
        shadows=town.shadows,
    )
    return Clip(
        seeds=seeds,
        light=light,
        lens=draw_lens(rng, params.width, params.height),
        motion=motion,
        town=clear,
        ground=draw_ground(rng, street, light, town.shadows),
        cars=draw_cars(rng, street, motion, ids),
        people=draw_people(rng, street, motion, ids),
    )


def render_frame(clip: Clip, name: str, split: str, frame: int) -> Item:
    """Render frame `frame` of `clip` as an encoded item."""
    camera = clip.motion.camera(frame)
    canvas = Canvas(camera.scaled(FINE), clip.light)
    traffic, walked = clip.motion.traffic_seconds(frame), frame * FRAME_SECONDS
    clip.ground.draw(canvas)
    canvas.darken(
        [decal for car in clip.cars for decal in make_car_shadows(car, traffic, clip.light)]
        + [decal for person in clip.people for decal in make_person_shadows(person, walked, clip.light)]
    )
    growing = [quad for tree in clip.town.trees for quad in tree.quads(camera)]
    standing = [quad for post in clip.town.posts for quad in post.quads(camera)]
    driving = [quad for car in clip.cars for quad in car.quads(traffic)]
    walking = [quad for person in clip.people for quad in person.quads(camera, walked)]
    canvas.draw([*clip.town.walls, *growing, *standing, *driving, *walking])
    image = develop(np.random.default_rng((*clip.seeds, frame)), canvas, camera, clip.lens)
    seen = make_maps(canvas, clip.lens)
    seen["hha"] = encode_depth(seen["depth"], camera)
    layers = {layer: encode_picture(values, compress_level=1) for layer, values in seen.items()}
    # subsampling=0 keeps the full colour resolution.
    photo = encode_picture(image, "JPEG", quality=95, subsampling=0)
    return Item(f"{name}_{frame:03d}", split, photo, layers.pop("label"), name, frame, layers)


def encode_depth(depth: np.ndarray, camera: Camera) -> np.ndarray:
    """Encode `depth` (H, W), in centimetres, 0 = unknown (sky), as HHA (H, W, 3) uint8 for `camera`."""
    cx, cy = camera.centre
    # A map holds the first canvas pixel of each picture pixel; its centre is half a canvas pixel from the corner.
    pinhole = hha.Camera((camera.focal, camera.focal), cx - 0.5 / FINE, cy - 0.5 / FINE)
    return hha.encode_hha(depth / 100, pinhole)
