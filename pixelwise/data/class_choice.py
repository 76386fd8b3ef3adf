"""Merge, rename and drop the classes of a data set by `ingest.classes`: one rule for every reader."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pixelwise.data.class_tables import BACKGROUND
from pixelwise.data.items import VOID, Classes, RawData, choose_void_value
from pixelwise.data.painting import PaintedItems
from pixelwise.errors import DataError, ParamsError

# Keys of the mapping that are no classes: not learned and not scored, and as if not annotated.
VOID_KEY, DROPPED_KEY = "void", "dropped"
# Stands for every class that the mapping does not name.
OTHERS = "*"
# Value 255 is void.
MOST_CLASSES = VOID


def choose_classes(raw: RawData, wanted: Mapping[str, Sequence[str]]) -> RawData:
    """Give `raw` the classes of `wanted`: new name -> old names. Classes that `wanted` does not name stay as they are.

    The key `void` lists classes that become void, the key `dropped` those whose annotations are ignored: what they
    cover shows. A mask has nothing below, so a dropped class of masks becomes background if there is one, else void.
    Raises ParamsError at an unknown name or one that is given twice, DataError if more than 255 classes are left.
    """
    if not raw.classes.names and not wanted:
        # Videos have no labels.
        return raw
    new_name, items = match_names(raw.classes.names, wanted), raw.items
    dropped = [old for old, new in new_name.items() if new == DROPPED_KEY]
    if dropped:
        beneath = BACKGROUND if BACKGROUND in new_name.values() else VOID_KEY
        new_name |= dict.fromkeys(dropped, beneath)
        if isinstance(items, PaintedItems):
            items = items.without(dropped)
        else:
            raw.notes.add(f"classes dropped from masks, which become {beneath}", ", ".join(dropped))
    names = tuple(dict.fromkeys(new for new in new_name.values() if new != VOID_KEY))
    require_few(raw.name, names)
    # A class that others are merged into keeps the colour of the first.
    palette = tuple(raw.classes.palette[list(new_name.values()).index(name)] for name in names)
    index = {place: names.index(new) for place, new in enumerate(new_name.values()) if new != VOID_KEY}
    void = choose_void_value(len(raw.classes))
    label_values = {value: VOID if old == void else index.get(old, VOID) for value, old in raw.label_values.items()}
    return replace(raw, classes=Classes(names, palette), items=items, label_values=label_values)


def match_names(old_names: Sequence[str], wanted: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Match every old name to its new one, VOID_KEY or DROPPED_KEY, in the order of the old names.

    Raises ParamsError at a name that is unknown or given twice.
    """
    new_name: dict[str, str] = {}
    for new, olds in wanted.items():
        for old in olds:
            if old != OTHERS and old not in old_names:
                raise ParamsError(f"ingest.classes.{new}: found {old}, expected any of: {', '.join(old_names[:30])}")
            if old in new_name:
                raise ParamsError(f"ingest.classes.{new}: found {old}, which {new_name[old]} has too")
            new_name[old] = new
    others = new_name.get(OTHERS)
    found = {old: new_name.get(old, others or old) for old in old_names}
    for old, new in found.items():
        # A class that stays must not become one with another that takes its name.
        if old not in new_name and not others and new in wanted:
            raise ParamsError(f"ingest.classes.{new}: the data has a class {new} too, expected it in the list")
    return found


def require_few(name: str, names: Sequence[str]) -> None:
    """Raise DataError if there are more classes than a label has values, or none."""
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"data set {name}: {len(names)} classes, background counted, expected at most {MOST_CLASSES}; merge or drop"
            " some by ingest.classes"
        )
    if not names:
        raise ParamsError(f"ingest.classes: no class of {name} is left, expected one")
