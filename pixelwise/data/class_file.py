"""The classes of a data set as its user writes them: names, and the mask values or colours that mean them."""

from pathlib import Path
from typing import Annotated

from annotated_types import Len
from pydantic import Field

from pixelwise.data.items import VOID, Colour
from pixelwise.documents import read_yaml
from pixelwise.errors import DataError
from pixelwise.params import Params, parse

CLASSES_FILE = "classes.yaml"
Level = Annotated[int, Field(ge=0, le=255)]


class ClassFile(Params):
    """classes.yaml."""

    names: Annotated[list[str], Len(1, 255)]
    """Names of the classes, in order."""
    colours: list[tuple[Level, Level, Level]] | None = None
    """A colour [red, green, blue] a class, by which masks in colour are read; VOC's where none are given."""
    void_colours: tuple[tuple[Level, Level, Level], ...] = ()
    """Colours that are unlabelled in masks in colour."""
    values: dict[Annotated[int, Field(ge=0, le=65535)], str] | None = None
    """Mask value -> class name or void; value i is class i and 255 void where it is not given."""


def read_classes(file: Path) -> ClassFile:
    """Read classes.yaml as typed values. Raises DataError or ParamsError with the wrong key."""
    classes = parse(ClassFile, read_yaml(file, "`names: [...]`"), str(file))
    if len(set(classes.names)) != len(classes.names):
        raise DataError(f"{file}: names: found a name twice, expected each once")
    if classes.colours and len(classes.colours) != len(classes.names):
        raise DataError(f"{file}: {len(classes.colours)} colours, expected {len(classes.names)}, one a name")
    return classes


def map_label_values(classes: ClassFile, file: Path) -> dict[int, int]:
    """Compute mask value -> class index or 255. Raises DataError at an unknown name, or a class named void."""
    if "void" in classes.names:
        raise DataError(f"{file}: names: found void, expected classes alone; values says which value is void")
    indices = {"void": VOID} | {name: index for index, name in enumerate(classes.names)}
    if classes.values is None:
        return {index: index for index in range(len(classes.names))} | {VOID: VOID}
    for value, name in classes.values.items():
        if name not in indices:
            raise DataError(f"{file}: value {value}: found {name}, expected void or one of: {', '.join(classes.names)}")
    return {value: indices[name] for value, name in classes.values.items()}


def map_colours(classes: ClassFile, file: Path) -> dict[Colour, int]:
    """Compute mask colour -> class index or 255. Raises DataError at a colour that means two of them."""
    colours = [*(classes.colours or []), *classes.void_colours]
    for colour in colours:
        if colours.count(colour) > 1:
            raise DataError(f"{file}: found the colour {list(colour)} twice, expected one for each class and for void")
    return {colour: place if place < len(classes.names) else VOID for place, colour in enumerate(colours)}
