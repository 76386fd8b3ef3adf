"""The static objects of a street: houses on both sides and at its end, trees, lamps, signs, and their shadows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pixelwise.data.town import posts, trees
from pixelwise.data.town.buildings import House, make_house_quads
from pixelwise.data.town.light import Light
from pixelwise.data.town.posts import Post
from pixelwise.data.town.raster import Quad
from pixelwise.data.town.rows import BACK, Habit, draw_backdrops, draw_hedges, draw_plots, draw_side
from pixelwise.data.town.street import Street
from pixelwise.data.town.trees import Tree

SIDES = (-1, 1)


@dataclass(frozen=True)
class Town:
    """The static objects of a clip. shadows: polygons (n, 2) in x, z where the sun does not reach the ground."""

    walls: list[Quad]
    trees: list[Tree]
    posts: list[Post]
    shadows: list[np.ndarray]


def draw_town(rng: np.random.Generator, street: Street, light: Light, ids: Iterator[int]) -> Town:
    """Draw the static objects of `street`. ids: source of instance numbers."""
    habit = Habit(storeys=rng.uniform(2, 3.6), shops=rng.uniform(0.1, 0.6), lit=light.lamps)
    houses, hedges = [], []
    for side in SIDES:
        plots = draw_plots(rng, street, side)
        houses += list(draw_side(rng, street, side, plots, habit))
        hedges += list(draw_hedges(rng, street, side, plots, ids))
    houses += list(draw_backdrops(rng, street, habit))
    walls = [quad for house in houses for quad in make_house_quads(rng, house)]
    growing = list(draw_trees(rng, street, ids))
    standing = [post for side in SIDES for post in draw_posts(rng, street, side, ids)]
    return Town(walls + hedges, growing, standing, cast_shadows(light, houses, growing, standing))


def draw_trees(rng: np.random.Generator, street: Street, ids: Iterator[int]) -> Iterator[Tree]:
    """Draw trees along the kerb of planted sides, at the street's end and in the side streets."""
    pictures = [trees.draw_tree_picture(rng) for _ in range(3)]
    places = [(s.side * (BACK - 2.5), s.far + 2.0, rng.uniform(5, 9)) for s in street.side_streets]
    places += [(x, street.closing_front - 1.5, rng.uniform(5, 9)) for x in rng.uniform(-20, 20, 3)]
    for side, planted in zip(SIDES, street.has_trees, strict=True):
        along = rng.uniform(2, 12) + np.cumsum(rng.uniform(8, 15, 12 if planted else 0))
        places += [
            (side * (street.kerb + 0.6), z, rng.uniform(4, 7.5)) for z in along if not street.is_beside(side, z, 3)
        ]
    for x, z, height in places:
        width, picture = height * rng.uniform(0.68, 0.86), pictures[rng.integers(len(pictures))]
        yield Tree(np.array([x, 0.0, z]), width, height, picture, next(ids))


def draw_posts(rng: np.random.Generator, street: Street, side: int, ids: Iterator[int]) -> Iterator[Post]:
    """Draw lamps at intervals, road signs, a row of bollards, and traffic lights at side streets."""
    beside = side * (street.kerb + 0.35)

    def free(places: np.ndarray) -> Iterator[np.ndarray]:
        return (np.array([beside, 0, z]) for z in places if not street.is_beside(side, z, 0.9))

    for place in free(np.arange(rng.uniform(4, 14), street.end, rng.uniform(14, 22))):
        yield posts.make_lamp_post(rng, place, -side, next(ids))
    for place in free(rng.uniform(5, street.end - 2, rng.integers(3, 7))):
        facing = -1.0 if side > 0 or rng.random() < 0.5 else 1.0
        yield posts.make_road_sign(rng, place, facing, next(ids), next(ids))
    for place in free(rng.uniform(4, 40) + 1.5 * np.arange(rng.integers(0, 7))):
        yield posts.make_bollard(rng, place, next(ids))
    for z in [z for s in street.side_streets if s.side == side for z in (s.near - 0.8, s.far + 0.8)]:
        yield posts.make_traffic_light(rng, np.array([beside, 0, z]), next(ids), next(ids))


def cast_shadows(light: Light, houses: list[House], growing: list[Tree], standing: list[Post]) -> list[np.ndarray]:
    """Compute the shadow polygons of houses, trees and posts on the ground."""
    cast = -light.sun[[0, 2]] / max(light.sun[1], 0.12)
    shadows = [shadow for house in houses for shadow in cast_house_shadow(house, cast)]
    shadows += [make_disc(tree.position[[0, 2]] + cast * tree.height * 0.62, tree.width * 0.36) for tree in growing]
    return shadows + [make_bar(post.position[[0, 2]], cast * post.height, 0.28) for post in standing]


def cast_house_shadow(house: House, cast: np.ndarray) -> list[np.ndarray]:
    """Compute a house's shadow polygons (n, 2) in x, z: ground, roof and walls. cast: metres per metre of height."""
    ground = house.footprint()[:, [0, 2]]
    top = ground + cast * (house.height + 0.5 * house.rise)
    sides = [np.array([ground[i], ground[i - 1], top[i - 1], top[i]]) for i in range(4)]
    return [ground, top, *sides]


def make_disc(centre: np.ndarray, radius: float) -> np.ndarray:
    """Make a round polygon (12, 2)."""
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return centre + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)


def make_bar(start: np.ndarray, along: np.ndarray, width: float) -> np.ndarray:
    """Make a strip (4, 2) of `width` from `start` to `start + along`."""
    across = np.array([along[1], -along[0]]) / max(float(np.hypot(*along)), 1e-6) * width / 2
    return np.array([start - across, start + across, start + along + across, start + along - across])
