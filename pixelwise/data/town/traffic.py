"""The traffic of a street: driving, waiting and parked cars, walking and standing people."""

from collections.abc import Iterator

import numpy as np

from pixelwise.data.town.motion import FRAME_SECONDS, Motion
from pixelwise.data.town.people import Person, draw_person
from pixelwise.data.town.street import Street
from pixelwise.data.town.vehicles import Car, draw_car

FORWARD = np.array([0.0, 0.0, 1.0])


def draw_cars(rng: np.random.Generator, street: Street, motion: Motion, ids: Iterator[int]) -> list[Car]:
    """Draw cars in both lanes, along the kerbs and in the cross street."""
    flows = motion.kind in ("drive", "stop")
    cars = []
    z = motion.start.position[2] + rng.uniform(9, 22)
    while z < street.end - 8 and rng.random() < 0.6:
        speed = motion.speed * rng.uniform(0.95, 1.1) if flows else choose_speed(rng, motion)
        cars.append(draw_car(rng, np.array([street.lane, 0, z]), FORWARD, speed, next(ids)))
        z += rng.uniform(8, 25)
    z = motion.start.position[2] + rng.uniform(7, 20)
    while z < street.end - 4 and rng.random() < 0.75:
        speed = rng.uniform(5, 9) if flows else choose_speed(rng, motion)
        cars.append(draw_car(rng, np.array([-street.lane, 0, z]), -FORWARD, speed, next(ids)))
        z += rng.uniform(9, 25)
    cars += draw_parked_cars(rng, street, ids)
    if rng.random() < 0.6:
        x, way = rng.uniform(-12, 12), rng.choice([-1.0, 1.0])
        place = np.array([x, 0, street.end + street.cross_width * (0.5 - 0.22 * way)])
        cars.append(draw_car(rng, place, np.array([way, 0, 0]), choose_speed(rng, motion), next(ids)))
    return [
        car
        for car in cars
        if keeps_clear(car.position, motion, 4.2) or abs(car.position[0] - motion.start.position[0]) > 2.4
    ]


def choose_speed(rng: np.random.Generator, motion: Motion) -> float:
    """Choose a car's speed for a camera that does not drive: 0 in still clips, 3–8 metres per second otherwise."""
    if motion.kind == "still":
        return 0.0
    return float(rng.uniform(3, 8))


def draw_parked_cars(rng: np.random.Generator, street: Street, ids: Iterator[int]) -> list[Car]:
    """Draw cars in the parking bays."""
    if not street.parking:
        return []
    cars, share = [], rng.uniform(0.3, 0.85)
    for side in (-1, 1):
        x = side * (street.kerb - street.parking / 2 - 0.02)
        for z in np.arange(-8.5, street.end - 8, 5.5):
            if (
                rng.random() < share
                and not street.is_beside(side, z + 2.75, 6.5)
                and not any(-3.2 < z + 2.75 - c - 1.5 < 3.2 for c in street.crossings)
            ):
                heading = FORWARD * (side if rng.random() < 0.85 else -side)
                cars.append(draw_car(rng, np.array([x, 0, z + 2.75 + rng.uniform(-0.3, 0.3)]), heading, 0.0, next(ids)))
    return cars


def draw_people(rng: np.random.Generator, street: Street, motion: Motion, ids: Iterator[int]) -> list[Person]:
    """Draw people on both pavements, alone and in pairs, and on the crossings; few walk in "stop" and "still" clips."""
    walks = {"drive": 0.8, "pan": 0.8, "stop": 0.12, "still": 0.12}[motion.kind]
    people = []
    for _ in range(rng.integers(7, 15)):
        side = rng.choice([-1, 1])
        x = side * rng.uniform(street.kerb + 0.8, street.front - 0.4)
        z = motion.start.position[2] + 3.5 + rng.gamma(1.7, 9)
        velocity = FORWARD * rng.choice([-1, 1]) * rng.uniform(0.9, 1.6) * (rng.random() < walks)
        people.append(draw_person(rng, np.array([x, 0, z]), velocity, next(ids)))
        if rng.random() < 0.3:
            beside = np.array([x + rng.choice([-0.6, 0.6]), 0, z + rng.uniform(-0.3, 0.3)])
            people.append(draw_person(rng, beside, velocity, next(ids)))
    for crossing in street.crossings:
        for _ in range(rng.integers(0, 3)):
            x, way = rng.uniform(-street.kerb, street.kerb), rng.choice([-1, 1])
            velocity = np.array([way * rng.uniform(0.9, 1.4), 0, 0])
            people.append(draw_person(rng, np.array([x, 0, crossing + rng.uniform(0.6, 2.4)]), velocity, next(ids)))
    return [
        person for person in people if person.position[2] < street.end + 8 and keeps_clear(person.position, motion, 2.2)
    ]


def keeps_clear(position: np.ndarray, motion: Motion, metres: float) -> bool:
    """Whether `position` stays more than `metres` from the camera's path, for up to 10 s."""
    seconds = np.arange(0, 10, FRAME_SECONDS)
    if motion.kind == "stop":
        seconds = np.minimum(seconds, motion.brakes_for / 2)
    start = motion.start.position
    path = start[[0, 2]] + np.stack([0 * seconds, motion.speed * seconds], axis=1)
    return bool(np.hypot(*(path - position[[0, 2]]).T).min() > metres)
