"""The plan of one street in metres: its widths, crossings and end."""

from dataclasses import dataclass

import numpy as np

BEHIND = -14.0
"""Where the town begins, behind the camera."""


@dataclass(frozen=True)
class SideStreet:
    """A street that joins from the left (side −1) or the right (side 1) between z = near and z = far."""

    side: int
    near: float
    far: float


@dataclass(frozen=True)
class Street:
    """A straight street along z that ends at a cross street.

    kerb: distance from the middle to the kerb; front: from the middle to the house fronts; parking: width of each
    parking lane within the road, 0 for none; end: z of the cross street's near kerb; crossings: z of zebra crossings.
    """

    kerb: float
    front: float
    parking: float
    end: float
    cross_width: float
    side_streets: tuple[SideStreet, ...]
    crossings: tuple[float, ...]
    has_trees: tuple[bool, bool]

    @property
    def lane(self) -> float:
        """Distance from the middle of the road to the middle of a lane."""
        return (self.kerb - self.parking) / 2

    @property
    def closing_front(self) -> float:
        """Position (z) of the house fronts behind the cross street, which close the view."""
        return self.end + self.cross_width + self.front - self.kerb

    def is_beside(self, side: int, z: float, margin: float) -> bool:
        """Whether z is at most `margin` metres from a side street on `side`, or from or beyond the end."""
        opens = any(s.side == side and s.near - margin < z < s.far + margin for s in self.side_streets)
        return opens or z > self.end - margin


def draw_street(rng: np.random.Generator) -> Street:
    """Draw the plan of one street."""
    parking = 2.1 if rng.random() < 0.6 else 0.0
    kerb = rng.uniform(2.9, 3.6) + parking
    end = rng.uniform(58, 95)
    sides = []
    for side in (-1, 1):
        if rng.random() < 0.75:
            near = rng.uniform(14, end - 25)
            sides.append(SideStreet(side, near, near + rng.uniform(6.5, 9)))
    places = [s.near - 3.5 for s in sides] + [rng.uniform(10, 30)]
    crossings = tuple(z for z in places if rng.random() < 0.6)
    return Street(
        kerb=kerb,
        front=kerb + rng.uniform(2.0, 3.8),
        parking=parking,
        end=end,
        cross_width=rng.uniform(6, 9),
        side_streets=tuple(sides),
        crossings=crossings,
        has_trees=(bool(rng.random() < 0.5), bool(rng.random() < 0.5)),
    )
