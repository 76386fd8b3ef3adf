"""The town: what its clips promise to whoever learns from them."""

import io
from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pixelwise.data.items import Item, RawData
from pixelwise.data.town import TownParams, generate
from pixelwise.data.town.clips import draw_clip, render_frame
from pixelwise.data.town.motion import KINDS

SMALL = TownParams(train_clips=4, val_clips=2, test_clips=2, frames=4, width=128, height=96)
SKY, ROAD, PAVEMENT, VOID = 0, 2, 3, 255
THINGS = (4, 5, 6, 7, 8)


def decode(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def clips(items: list[Item]) -> dict[str, list[Item]]:
    found = defaultdict(list)
    for item in items:
        found[item.clip].append(item)
    return found


@pytest.fixture(scope="module")
def raw() -> RawData:
    return generate(SMALL)


@pytest.fixture(scope="module")
def items(raw: RawData) -> list[Item]:
    return list(raw.items)


@pytest.fixture(scope="module")
def layers(items: list[Item]) -> list[dict[str, np.ndarray]]:
    return [{"label": decode(i.label)} | {name: decode(data) for name, data in i.layers.items()} for i in items]


def test_items_are_counted_before_they_are_rendered(raw, items):
    assert len(raw.items) == len(items) == 8 * 4


def test_the_same_seed_gives_the_same_bytes(items):
    again = list(generate(SMALL).items)
    assert again == items


def test_another_seed_gives_another_town(items):
    other = next(iter(generate(SMALL.model_copy(update={"seed": 1})).items))
    assert other.image != items[0].image


def test_more_clips_leave_the_others_as_they_were(items):
    more = generate(SMALL.model_copy(update={"train_clips": 5}))
    first = next(iter(more.items))
    assert first == items[0]


def test_splits_share_no_clip_and_no_picture(items):
    by_split = defaultdict(set)
    for item in items:
        by_split[item.split] |= {item.clip, item.image}
    assert set(by_split) == {"train", "val", "test"}
    assert sum(map(len, by_split.values())) == len(set().union(*by_split.values()))


def test_ids_are_unique_and_frames_run_from_zero(items):
    assert len({item.id for item in items}) == len(items)
    assert all([item.frame for item in clip] == list(range(4)) for clip in clips(items).values())


def test_image_label_and_layers_have_one_size(items, layers):
    assert decode(items[0].image).shape == (96, 128, 3)
    kinds = {"label": np.uint8, "instance": np.uint16, "depth": np.uint16, "geometry": np.uint8, "hha": np.uint8}
    for maps in layers:
        assert {name: values.dtype for name, values in maps.items()} == kinds
        assert maps["hha"].shape == (96, 128, 3)
        assert {values.shape[:2] for values in maps.values()} == {(96, 128)}


def test_labels_are_classes_or_void(raw, layers):
    assert set(raw.label_values) == {*range(9), VOID}
    assert set(np.unique([maps["label"] for maps in layers])) <= set(raw.label_values)


def test_train_shows_every_class(raw, items, layers):
    seen = np.unique([maps["label"] for item, maps in zip(items, layers, strict=True) if item.split == "train"])
    assert set(range(len(raw.classes.names))) <= set(seen.tolist())


def test_void_is_a_thin_band_at_the_borders(layers):
    for maps in layers:
        is_void = maps["label"] == VOID
        assert all(edge.all() for edge in (is_void[0], is_void[-1], is_void[:, 0], is_void[:, -1]))
        assert not is_void[8:-8, 8:-8].any()


def test_geometry_agrees_with_the_label(layers):
    for maps in layers:
        label = maps["label"]
        expected = np.select([label == SKY, (label == ROAD) | (label == PAVEMENT), label == VOID], [0, 1, VOID], 2)
        assert np.array_equal(maps["geometry"], expected)


def test_the_sky_alone_is_out_of_reach(layers):
    for maps in layers:
        inside = maps["label"] != VOID
        assert np.array_equal((maps["depth"] == 0)[inside], (maps["label"] == SKY)[inside])


def test_the_road_is_further_away_further_up_the_picture(layers):
    for maps in layers:
        road = maps["label"] == ROAD
        both = road[:-1] & road[1:]
        depth = maps["depth"].astype(int)
        assert both.any()
        assert (depth[:-1] >= depth[1:])[both].all()


def test_depth_of_the_road_is_what_the_camera_sees_of_a_plane(layers):
    clip = draw_clip(SMALL, "train", 0)
    camera = clip.motion.camera(0).scaled(2)
    rays = camera.rays()[::2, ::2]
    road = layers[0]["label"] == ROAD
    expected = -100 * camera.position[1] / rays[road][:, 1]
    assert np.abs(layers[0]["depth"][road] / expected - 1).max() < 0.02


def test_things_are_numbered_and_stuff_is_not(layers):
    for maps in layers:
        is_thing = np.isin(maps["label"], THINGS)
        assert np.array_equal(maps["instance"] > 0, is_thing)


def test_an_instance_keeps_its_number_and_its_class_over_a_clip(items, layers):
    classes, frames = defaultdict(set), defaultdict(set)
    for item, maps in zip(items, layers, strict=True):
        for number in np.unique(maps["instance"][maps["instance"] > 0]):
            classes[item.clip, number] |= set(maps["label"][maps["instance"] == number].tolist())
            frames[item.clip, number].add(item.frame)
    assert all(len(found) == 1 for found in classes.values())
    assert np.mean([len(found) == 4 for found in frames.values()]) > 0.4


def test_every_split_holds_a_still_stretch_that_differs_by_noise_alone():
    for split in ("train", "val", "test"):
        clip = draw_clip(SMALL, split, KINDS.index("still"))
        still = [render_frame(clip, "still", split, frame) for frame in range(3)]
        pictures = np.stack([decode(item.image) for item in still]).astype(int)
        labels = np.stack([decode(item.label) for item in still])
        same = labels[1:] == labels[:-1]
        assert same.mean() > 0.95
        assert np.abs(np.diff(pictures, axis=0))[same].mean() < 6
        assert all(a.image != b.image for a, b in pairwise(still))


def test_a_driven_clip_comes_nearer(items):
    drive = clips(items)["train_000"]
    first, last = (decode(item.label) for item in (drive[0], drive[-1]))
    assert (first != last).mean() > 0.05


def test_a_colour_does_not_give_the_class_away(items, layers):
    """Buildings, cars and people come in overlapping colours: nearest mean colour is far from the truth."""
    pixels = np.concatenate([decode(i.image)[::4, ::4].reshape(-1, 3) for i in items]).astype(float)
    labels = np.concatenate([maps["label"][::4, ::4].ravel() for maps in layers])
    means = np.stack([pixels[labels == k].mean(0) for k in range(9)])
    nearest = np.argmin(((pixels[:, None] - means) ** 2).sum(2), axis=1)
    recall = [(nearest[labels == k] == k).mean() for k in range(9)]
    assert np.mean(recall) < 0.5


def test_the_longest_drive_ends_before_the_street():
    clip = draw_clip(SMALL.model_copy(update={"frames": 80}), "train", 0)
    label = decode(render_frame(clip, "drive", "train", 79).label)
    assert {SKY, ROAD, PAVEMENT} <= set(np.unique(label).tolist())


@pytest.mark.parametrize("field", ["train_clips", "frames", "width"])
def test_a_town_without_extent_is_refused(field):
    with pytest.raises(ValidationError, match=field):
        TownParams(**{field: 0})
