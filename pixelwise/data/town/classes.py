"""The town's classes, in the order of their label values, in CamVid's colours."""

from typing import Final

from pixelwise.data.items import Classes

SKY: Final = 0
BUILDING: Final = 1
ROAD: Final = 2
PAVEMENT: Final = 3
TREE: Final = 4
POLE: Final = 5
SIGN: Final = 6
CAR: Final = 7
PEDESTRIAN: Final = 8
VOID: Final = 255

CLASSES = Classes(
    names=("sky", "building", "road", "pavement", "tree", "pole", "sign", "car", "pedestrian"),
    palette=(
        (128, 128, 128),
        (128, 0, 0),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 192, 128),
        (192, 128, 128),
        (64, 0, 128),
        (64, 64, 0),
    ),
)
