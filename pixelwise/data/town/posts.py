"""Street furniture: lamp posts, bollards, road signs and traffic lights, with the poles that carry them."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.data.town.camera import Camera
from pixelwise.data.town.classes import POLE, SIGN
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.texture import Texture, make_plain
from pixelwise.data.town.trees import make_billboard

POST_NORMAL = np.array([0.0, 0.7, 0.0])
SIGN_TEXELS = 64


@dataclass(frozen=True)
class Post:
    """A pole on the pavement. width, height: of the pole in metres; attached: quads that the pole carries."""

    position: np.ndarray
    width: float
    height: float
    texture: Texture
    instance: int
    attached: tuple[Quad, ...]

    def quads(self, camera: Camera) -> list[Quad]:
        """Make the pole, turned to the camera, and return it with the attached quads."""
        pole = make_billboard(
            camera, self.position, self.width, self.height, self.texture, POLE, self.instance, POST_NORMAL
        )
        return [pole, *self.attached]


def draw_steel(tone: np.ndarray) -> Texture:
    """Draw a round rod of one tone: lighter along its middle, darker at its foot."""
    across = np.array([0.7, 1.0, 1.15, 1.0, 0.7])
    along = np.concatenate([np.full(14, 1.0), [0.85, 0.7]])
    return Texture.from_picture(np.clip(tone * (along[:, None] * across)[..., None], 0, 255).astype(np.uint8))


def choose_pole_tone(rng: np.random.Generator) -> np.ndarray:
    """Choose a pole's tone: galvanised, green, black or brown."""
    tones = np.array([[150, 152, 154], [60, 76, 66], [48, 50, 54], [110, 96, 80]])
    return tones[rng.choice(4, p=[0.5, 0.15, 0.25, 0.1])] * rng.uniform(0.85, 1.1)


def make_lamp_post(rng: np.random.Generator, position: np.ndarray, towards_road: float, instance: int) -> Post:
    """Make a tall pole with an arm over the road and a lamp at its end. towards_road: −1 or 1 along x."""
    height, reach, tone = rng.uniform(5.5, 8), rng.uniform(1.2, 2.2), choose_pole_tone(rng)
    texture = draw_steel(tone)
    arm = make_two_sided_bar(
        position + np.array([0, height, 0]), np.array([towards_road * reach, 0.25, 0]), 0.11, texture, POLE, instance
    )
    end = position + np.array([towards_road * (reach - 0.1), height + 0.24, 0])
    head = make_two_sided_bar(
        end, np.array([towards_road * 0.75, 0.02, 0]), 0.2, make_plain(tone * 0.7), POLE, instance
    )
    return Post(position, 0.17, height, texture, instance, (*arm, *head))


def make_two_sided_bar(
    at: np.ndarray, along: np.ndarray, thick: float, texture: Texture, label: int, instance: int
) -> list[Quad]:
    """Make a flat bar from `at`, visible from the front (−z) and from behind."""
    down = np.array([0, -thick, 0])
    left, right = (at, at + along) if along[0] > 0 else (at + along, at)
    front = Quad(left, right - left, down, texture, label, instance)
    return [front, Quad(right, left - right, down, texture, label, instance)]


def make_bollard(rng: np.random.Generator, position: np.ndarray, instance: int) -> Post:
    """Make a short pole at the kerb."""
    return Post(position, 0.2, rng.uniform(0.85, 1.05), draw_steel(choose_pole_tone(rng)), instance, ())


def make_road_sign(rng: np.random.Generator, position: np.ndarray, facing: float, pole: int, sign: int) -> Post:
    """Make a sign on a pole, grey from behind. facing: −1 for traffic along z, 1 for traffic against z."""
    size, height = rng.uniform(0.62, 0.9), rng.uniform(2.3, 2.9)
    front = draw_sign(rng)
    back = np.asarray(front).copy()
    back[..., :3] = 132
    right = np.array([-facing * size, 0, 0])
    top = position + np.array([0, height + 0.02, 0.06 * facing])
    plates = (
        Quad(top - right / 2, right, np.array([0, -size, 0]), Texture.from_picture(front), SIGN, sign),
        Quad(
            top + right / 2 - [0, 0, 0.02 * facing],
            -right,
            np.array([0, -size, 0]),
            Texture.from_picture(back),
            SIGN,
            sign,
        ),
    )
    return Post(position, 0.09, height, draw_steel(np.array([146.0, 148, 150])), pole, plates)


def make_traffic_light(rng: np.random.Generator, position: np.ndarray, pole: int, sign: int) -> Post:
    """Make a traffic light that shows red or green to traffic along z. Its class is sign, as in CamVid."""
    picture = Image.new("RGB", (24, 64), (26, 28, 30))
    pen = ImageDraw.Draw(picture)
    lit = rng.choice([0, 2])
    for index, tone in enumerate(((236, 50, 40), (90, 70, 30), (60, 220, 120))):
        on = tone if index == lit else tuple(value // 4 for value in tone)
        pen.ellipse((4, 4 + 20 * index, 20, 20 + 20 * index), on)
    size, top = (0.36, 0.95), position + np.array([-0.18, 3.1, -0.12])
    front, back = Texture.from_picture(picture), make_plain((34, 36, 40))
    right, down = np.array([size[0], 0, 0]), np.array([0, -size[1], 0])
    plates = (
        Quad(top, right, down, front, SIGN, sign),
        Quad(top + right + [0, 0, 0.24], -right, down, back, SIGN, sign),
    )
    return Post(position, 0.13, 3.0, draw_steel(choose_pole_tone(rng)), pole, plates)


def draw_sign(rng: np.random.Generator) -> Image.Image:
    """Draw a prohibition ring, a warning triangle, a blue disc or square, or a stop sign."""
    edge = SIGN_TEXELS - 1
    picture = Image.new("RGBA", (SIGN_TEXELS, SIGN_TEXELS), (200, 200, 200, 0))
    pen = ImageDraw.Draw(picture)
    kind = rng.choice(["ring", "ring", "triangle", "disc", "square", "stop"])
    red, white, blue, black = (196, 30, 38, 255), (240, 240, 236, 255), (28, 74, 160, 255), (30, 30, 32, 255)
    if kind == "ring":
        pen.ellipse((0, 0, edge, edge), red)
        pen.ellipse((10, 10, edge - 10, edge - 10), white)
        pen.rectangle((18, 22, 29, 42), black)
        pen.rectangle((34, 22, 45, 42), black)
    elif kind == "triangle":
        pen.polygon([(edge / 2, 0), (edge, edge * 0.9), (0, edge * 0.9)], red)
        pen.polygon([(edge / 2, 15), (edge - 13, edge * 0.8), (13, edge * 0.8)], white)
        pen.rectangle((29, 28, 34, 44), black)
    elif kind == "stop":
        cut = 19
        pen.polygon(
            [
                (cut, 0),
                (edge - cut, 0),
                (edge, cut),
                (edge, edge - cut),
                (edge - cut, edge),
                (cut, edge),
                (0, edge - cut),
                (0, cut),
            ],
            red,
        )
        pen.rectangle((10, 25, edge - 10, 37), white)
    else:
        (pen.ellipse if kind == "disc" else pen.rectangle)((0, 0, edge, edge), blue)
        pen.polygon([(32, 10), (48, 30), (37, 30), (37, 54), (27, 54), (27, 30), (16, 30)], white)
    return picture
