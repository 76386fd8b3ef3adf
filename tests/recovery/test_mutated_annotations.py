"""Mutated files of labelling tools: each ends in the true labels, in quarantine or in one of our errors, and in time.

Every input is made from (format, seed, number), so a failure names the one that shows it.
"""

import json
import random
import shutil
import time
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest
from recovery.test_mutated_inputs import SECONDS, WILD, mutated
from support.annotation_sets import FORMATS, SIZE, label

from pixelwise.data.item_inspection import Accepted, Rejected, inspect_item, read_pair
from pixelwise.data.items import VOID
from pixelwise.data.readers import read_dataset
from pixelwise.errors import PixelwiseError

FEW, MANY = 15, 300
MOST_PIXELS = 10**6
SPLITS = {"train": (0, 1), "val": (2,)}
# Values that no key of these formats has as a number; whatever takes one for a shape labels wrongly.
INVALID = (None, float("nan"), float("inf"), 1e308, 2**70, -(2**70), "", "\0", "no", [], {}, [[1]], {"a": 1})


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """A folder of each format, not to be written to, with the notes of its reader."""
    found = {}
    for name, write in FORMATS.items():
        root = tmp_path_factory.mktemp(name)
        write(root, SPLITS)
        raw = read_dataset(name, root)
        assert all(isinstance(inspect_item(item, raw, MOST_PIXELS), Accepted) for item in raw.items)
        found[name] = root, set(raw.notes.lines())
    return found


def places(value):
    """Every place of a JSON value as (container, key)."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def mutate_json(text, rng):
    """Replace or remove one value. True where the new value cannot be right, so that no label may change."""
    found = json.loads(text)
    container, key = rng.choice(list(places(found)))
    how = rng.random()
    if how < 0.6:
        container[key] = rng.choice(INVALID)
    elif how < 0.8:
        container[key] = rng.choice(WILD)
    elif isinstance(container, list) and how < 0.9:
        container.insert(key, container[key])
    else:
        del container[key]
    return json.dumps(found), how < 0.6


def mutate_xml(text, rng):
    """Replace or remove one attribute."""
    tree = ElementTree.fromstring(text)
    element = rng.choice([each for each in tree.iter() if each.attrib])
    key, is_invalid = rng.choice(sorted(element.attrib)), rng.random() < 0.6
    if is_invalid:
        element.set(key, rng.choice(["", "no", "nan", "inf", "1e308", "-1e9", "1;2", ",", "[]"]))
    elif rng.random() < 0.5:
        del element.attrib[key]
    else:
        element.set(key, str(rng.randrange(-9, 99)))
    return ElementTree.tostring(tree, "unicode"), is_invalid


def mutate_words(text, rng):
    """Replace one number of a text by what is none."""
    lines = text.split("\n")
    line = rng.choice([place for place, words in enumerate(lines) if words.strip()])
    words = lines[line].split(" ")
    words[rng.randrange(len(words))] = rng.choice(["", "no", "nan", "inf", "1e308", "-1e9", "9999", "[]"])
    lines[line] = " ".join(words)
    return "\n".join(lines), True


MUTATIONS = {".json": mutate_json, ".xml": mutate_xml, ".txt": mutate_words, ".csv": mutate_words}


def mutate(root, rng):
    """Mutate one file below `root`; True where no label may change without a word."""
    files = sorted(file for file in root.rglob("*") if file.is_file())
    texts = [file for file in files if file.suffix in {*MUTATIONS, ".yaml"}]
    file = rng.choice(texts if rng.random() < 0.9 else files)
    if file.suffix in MUTATIONS and rng.random() < 0.8:
        text, is_invalid = MUTATIONS[file.suffix](file.read_text(), rng)
        file.write_text(text)
        return is_invalid
    file.write_bytes(mutated(file.read_bytes(), rng))
    return False


def check(raw, is_strict, notes):
    """Inspect all items: each is usable or named in one line; strictly, a usable one has its true label."""
    is_strict = is_strict and {*raw.classes.names} == {"background", "bird", "tree"}
    labels = {}
    for item in raw.items:
        result = inspect_item(item, raw, MOST_PIXELS)
        if isinstance(result, Rejected):
            assert "\n" not in result.reason
            assert result.reason
            continue
        labels[item.id] = read_pair(item, raw, MOST_PIXELS)[1]
        assert labels[item.id].shape == SIZE
        assert all(value < len(raw.classes) or value == VOID for value in np.unique(labels[item.id]))
    if is_strict and not set(raw.notes.lines()) - notes:
        for id_, found in labels.items():
            np.testing.assert_array_equal(found, label(int(id_[-1]), raw.classes.names))
    return "taken" if len(labels) == len(raw.items) else "quarantined"


def put_through(name, seed, count, worlds, folder):
    """`count` mutations of the format `name`; how many were taken, quarantined and refused."""
    found, (world, notes) = Counter(), worlds[name]
    for number in range(count):
        root, rng = folder / str(number), random.Random(f"{name} {seed} {number}")
        shutil.copytree(world, root)
        is_strict, begun = mutate(root, rng), time.monotonic()
        try:
            found[check(read_dataset(name, root), is_strict, notes)] += 1
        except PixelwiseError as error:
            found["refused" if "\n" not in str(error) else f"{number}: several lines"] += 1
        except Exception as error:
            raise AssertionError(f"{name} {seed} {number}: {error!r}") from error
        assert time.monotonic() - begun < SECONDS, f"{name} {seed} {number}: took too long"
        shutil.rmtree(root)
    print(f"\n{name}, seed {seed}: {dict(found)}")
    assert set(found) <= {"taken", "quarantined", "refused"}
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_a_few_mutated_annotations_end_right_in_time(name, worlds, tmp_path):
    assert put_through(name, 0, FEW, worlds, tmp_path).total() == FEW


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_many_mutated_annotations_end_right_in_time(name, worlds, tmp_path):
    found = put_through(name, 1, MANY, worlds, tmp_path)
    assert found["refused"] + found["quarantined"] > MANY // 20, "mutations that hurt nothing show nothing"
