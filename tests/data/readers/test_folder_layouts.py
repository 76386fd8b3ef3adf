"""The layouts of a plain folder: where splits, images and masks lie and how they are named."""

import pytest
from support.image_sets import mask, noise, save, write_folder

from pixelwise.data.read_params import ReadParams
from pixelwise.data.readers import folder, read_dataset
from pixelwise.errors import DataError, ParamsError


def write(root, image, label, names):
    """Write pictures and masks at the templates `image` and `label` for (split, name) of `names`."""
    write_folder(root, [])
    for seed, (split, name) in enumerate(names):
        save(noise(seed), root / image.format(split=split, name=name))
        save(mask(seed, 2), root / label.format(split=split, name=name))
    return root


NAMES = [("train", "a"), ("train", "b"), ("val", "a")]
WANTED = [("train/a", "train"), ("train/b", "train"), ("val/a", "val")]


def read(root, **reading):
    raw = folder.read(root, ReadParams(**reading))
    assert all(item.image.is_file() and item.label.is_file() for item in raw.items)
    return [(item.id, item.split) for item in raw.items]


@pytest.mark.parametrize(
    ("image", "label", "reading"),
    [
        ("{split}/images/{name}.jpg", "{split}/masks/{name}.png", {}),
        ("images/{split}/{name}.jpg", "masks/{split}/{name}.png", {}),
        ("{split}/Images/{name}.JPG", "{split}/Masks/{name}.PNG", {}),
        ("{split}/images/{name}.jpg", "{split}/masks/{name}_mask.png", {"mask_suffix": "_mask"}),
        ("{split}/images/{name}.jpg", "{split}/masks/{name}.jpg.png", {"mask_suffix": ".jpg"}),
        (
            "{split}/img/{name}.jpg",
            "ann/{split}/{name}_L.png",
            {"images": "{split}/img/{name}", "masks": "ann/{split}/{name}_L.png"},
        ),
        ("{split}/{name}.png", "{split}/{name}_m.png", {"images": "{split}/{name}", "masks": "{split}/{name}_m"}),
    ],
)
def test_layouts_and_templates_give_the_same_items(tmp_path, image, label, reading):
    assert read(write(tmp_path, image, label, NAMES), **reading) == WANTED


@pytest.mark.parametrize("name", ["valid", "validation", "dev", "VAL"])
def test_other_names_of_val_are_val(tmp_path, name):
    for place in ("{split}/images", "images/{split}"):
        root = tmp_path / place[0]
        write(
            root, f"{place}/{{name}}.jpg", f"{place.replace('images', 'masks')}/{{name}}.png", [*NAMES[:2], (name, "a")]
        )
        assert [split for _, split in read(root)].count("val") == 1


def test_train_alone_gives_a_tenth_to_val_and_says_so(tmp_path):
    root = write(tmp_path, "train/images/{name}.jpg", "train/masks/{name}.png", [("", f"{n}") for n in range(20)])
    raw = folder.read(root)
    assert [item.split for item in raw.items].count("val") == 2
    assert "no folder of val: a tenth of train is val" in raw.notes.lines()


def test_a_split_without_masks_is_left_out_and_named(tmp_path):
    root = write(tmp_path, "{split}/images/{name}.jpg", "{split}/masks/{name}.png", NAMES)
    save(noise(0), root / "test/images/c.jpg")
    raw = folder.read(root)
    assert len(raw.items) == 3
    assert "1 pictures of test left out, which has no mask: c" in raw.notes.lines()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([("val", "a"), ("valid", "a")], "found the folders val and valid, expected one for the split val"),
        (
            [("train", "a"), ("street1", "a")],
            "found the split train beside street1, expected splits alone",
        ),
    ],
)
def test_folders_that_mean_two_things_are_refused(tmp_path, names, message):
    write(tmp_path, "images/{split}/{name}.jpg", "masks/{split}/{name}.png", names)
    with pytest.raises(DataError, match=message):
        folder.read(tmp_path)


def test_two_layouts_at_once_are_refused(tmp_path):
    write_folder(tmp_path, ["images/a", "train/images/a"])
    with pytest.raises(DataError, match="found images and train/images, expected either"):
        folder.read(tmp_path)


def test_a_missing_suffix_is_named(tmp_path):
    root = write(tmp_path, "{split}/images/{name}.jpg", "{split}/masks/{name}_mask.png", NAMES)
    with pytest.raises(DataError) as error:
        folder.read(root)
    assert str(error.value) == (
        "train/images/a.jpg: no mask of its name, found train/masks/a_mask.png, expected the key mask_suffix: _mask"
    )


@pytest.mark.parametrize(
    "reading",
    [
        {"images": "img/{name}"},
        {"images": "img/{name}", "masks": "ann/all.png"},
        {"images": "img/{name}", "masks": "ann/{stem}.png"},
        {"images": "img/{name}", "masks": "ann/{name}", "mask_suffix": "_m"},
    ],
)
def test_wrong_templates_are_named(tmp_path, reading):
    with pytest.raises(ParamsError, match="expected"):
        folder.read(write_folder(tmp_path, []), ReadParams(**reading))


def test_only_a_folder_takes_a_layout(tmp_path):
    with pytest.raises(ParamsError, match="mask_suffix: found _m, but only the data set folder takes a layout"):
        read_dataset("voc", tmp_path, ReadParams(mask_suffix="_m"))


def test_frames_are_in_natural_order_of_whole_names(tmp_path):
    names = ["10-29-54", "10-30-00", "10-30-07"]
    write(tmp_path, "images/s/{name}.jpg", "masks/s/{name}.png", [("", name) for name in names])
    items = sorted(folder.read(tmp_path).items, key=lambda item: item.frame)
    assert [item.id for item in items] == [f"s/{name}" for name in names]


def test_frames_whose_names_differ_in_their_number_keep_it(tmp_path):
    write(tmp_path, "images/s/{name}.jpg", "masks/s/{name}.png", [("", name) for name in ("f9", "f100", "f30")])
    assert [(item.id, item.frame) for item in folder.read(tmp_path).items] == [
        ("s/f9", 9),
        ("s/f30", 30),
        ("s/f100", 100),
    ]


def test_linked_clips_are_read_and_others_are_passed_over_by_name(tmp_path):
    write(tmp_path / "store", "images/{name}.jpg", "masks/{name}.png", [("", "1"), ("", "2")])
    root = write(tmp_path / "mine", "images/c0/{name}.jpg", "masks/c0/{name}.png", [("", "1")])
    for part in ("images", "masks"):
        (root / part / "c1").symlink_to(f"../../store/{part}")
    save(noise(0), root / "images/.ipynb_checkpoints/1-checkpoint.jpg")
    save(noise(0), root / "overlays/1.jpg")
    (root / "images/c0/2.heic").write_bytes(b"")
    raw = folder.read(root)
    assert [item.id for item in raw.items] == ["c0/1", "c1/1", "c1/2"]
    assert "1 pictures passed over, neither images/{name} nor masks/{name}: overlays/1.jpg" in raw.notes.lines()
    assert "passed over: 1 .heic" in raw.notes.lines()
