"""Every file that cannot be used is left out, named, with what was expected."""

import json
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from support.image_sets import noise, png, save, write_voc
from support.matlab_sets import save_mat, values, write_nyud

from components import ingest
from components.ingest import IngestParams
from pixelwise.data.image_codec import decode_map
from pixelwise.data.item_inspection import Accepted, encode_layer, inspect_item, read_layer, read_pair
from pixelwise.data.items import Classes, Item, RawData, make_bit_palette
from pixelwise.data.orientation import Upright
from pixelwise.data.prepared import PreparedData
from pixelwise.data.readers import nyud
from pixelwise.errors import DataError

IDS = ["5001", "5002", "5003", "5004"]
IMAGE, DEPTH, HHA = "data/images/img_5001.png", "data/depth/img_5001.png", "data/hha/img_5001.png"
LABEL = "segmentation/img_5001.mat"


def encoded(picture, kind, **options):
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def frames(kind):
    """Two frames of an animation, or pages."""
    return encoded(noise(1), kind, save_all=True, append_images=[noise(2)])


def mat(stored, field="segmentation"):
    return lambda file: save_mat(file, **{field: stored})


def content(data):
    return lambda file: file.write_bytes(data)


def marked(value, dtype):
    """A map of ones, but for one pixel."""
    stored = np.ones((24, 32), dtype)
    stored[3, 4] = value
    return stored


def raw_png(bits, colours, row):
    """A PNG of 24 equal rows of 32 pixels, of a kind which Pillow reads and cannot write."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 32, 24, bits, colours, 0, 0, 0)
    rows = zlib.compress((b"\0" + row) * 24)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def grey_png(bits, row):
    """A grey PNG of `bits` a pixel with the values `row` in every row."""
    digits = "".join(f"{value:0{bits}b}" for value in row)
    return raw_png(bits, 0, int(digits, 2).to_bytes(len(digits) // 8))


WIDE = Image.fromarray(values(0, 0, 9999, np.uint16))
BAD = {
    "a depth map of another size": (DEPTH, content(encoded(WIDE.resize((16, 12)), "PNG")), "size 16×12, but its image"),
    "a depth map with NaN": (
        DEPTH,
        content(encoded(Image.fromarray(marked(np.nan, np.float32)), "TIFF")),
        "mode F with 1 NaN, expected one channel of 16 bits",
    ),
    "a depth map of 8 bits": (
        DEPTH,
        content(encoded(noise(0).convert("L"), "PNG")),
        "mode L, expected one channel of 16 bits",
    ),
    "a depth map in JPEG": (
        DEPTH,
        content(encoded(noise(0).convert("L"), "JPEG")),
        "JPEG, expected a lossless format such as PNG",
    ),
    "an HHA map in JPEG": (HHA, content(encoded(noise(0), "JPEG")), "JPEG, expected a lossless format such as PNG"),
    "an HHA map in two JPEGs": (HHA, content(frames("MPO")), "JPEG, expected a lossless format such as PNG"),
    "an HHA map in a TIFF of JPEG": (
        HHA,
        content(encoded(noise(0), "TIFF", compression="jpeg")),
        "JPEG, expected a lossless format such as PNG",
    ),
    "a depth map that ends early": (DEPTH, content(encoded(WIDE, "PNG")[:700]), ""),
    "no depth map": (DEPTH, lambda file: file.unlink(), "missing, expected depth/img_5001.png"),
    "an HHA map of one channel": (HHA, content(encoded(WIDE, "PNG")), "mode I;16, expected three channels of 8 bits"),
    "an HHA map of another size": (HHA, content(encoded(noise(0, (8, 8)), "PNG")), "size 8×8, but its image is 32×24"),
    "an unknown class": (LABEL, mat(marked(41, np.uint8)), "value 41, but nyud has classes 1–40 and 0 (void)"),
    "a negative class": (LABEL, mat(marked(-1, np.int16)), "value -1, but nyud has classes 1–40 and 0 (void)"),
    "a label with NaN": (LABEL, mat(marked(np.nan, float)), "field segmentation has 1 NaN or infinite values"),
    "a label beyond the integers": (LABEL, mat(marked(1e30, float)), "field segmentation has value 1e+30, expected"),
    "a label of another size": (LABEL, mat(np.ones((24, 30))), "size 30×24, but its image is 32×24"),
    "a MATLAB file without the field": (
        LABEL,
        mat(np.ones((24, 32)), "labels"),
        "no field segmentation, found: labels",
    ),
    "what is no MATLAB file": (LABEL, content(b"<html>"), "not a MATLAB file, expected version 5 to 7.2"),
    "an image of one pixel": (IMAGE, content(encoded(noise(0, (1, 1)), "PNG")), "size 1×1, expected at least 8×8"),
    "a CMYK image": (
        IMAGE,
        content(encoded(noise(0).convert("CMYK"), "JPEG")),
        "mode CMYK, expected RGB or grey",
    ),
    "an animated PNG": (IMAGE, content(frames("PNG")), "2 frames, expected one"),
    "an animated WebP": (IMAGE, content(frames("WEBP")), "2 frames, expected one"),
    "a TIFF of two pages": (IMAGE, content(frames("TIFF")), "2 frames, expected one"),
    "an animated GIF": (IMAGE, content(frames("GIF")), "2 frames, expected one"),
    "a Targa": (
        IMAGE,
        content(encoded(noise(0), "TGA")),
        "not a picture, expected one of: JPEG PNG WEBP BMP GIF TIFF",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used_is_left_out_and_named_with_what_was_expected(tmp_path, case):
    name, damage, reason = BAD[case]
    folder = write_nyud(tmp_path, {"train": IDS}) / "nyud"
    damage(folder / name)
    report = ingest.run(IngestParams(dataset="nyud", root=folder, max_quarantined_share=0.3), tmp_path / "prepared")
    (found,) = json.loads((tmp_path / "prepared" / "quarantine.json").read_text())["items"]
    assert (found["id"], found["file"]) == ("5001", "/".join(name.rsplit("/", 2)[-2:]))
    kind = {IMAGE: "image", DEPTH: "depth", HHA: "hha", LABEL: "label"}[name]
    assert found["reason"].startswith(f"{kind} {(folder / name).name}: {reason}")
    assert "\n" not in found["reason"]
    assert str(tmp_path) not in found["reason"]
    assert report.splits == {"train": 3}
    assert len(PreparedData(tmp_path / "prepared").split("train")) == 3


def test_a_phones_picture_with_a_preview_inside_is_a_still(tmp_path):
    root = write_voc(tmp_path / "raw", {"train": ["a"]})
    file = root / "VOC2012" / "JPEGImages" / "a.jpg"
    file.write_bytes(frames("MPO"))
    assert Image.open(file).n_frames == 2
    report = ingest.run(IngestParams(dataset="voc", root=root), tmp_path / "prepared")
    assert report.quarantined == 0


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "LA"])
def test_grey_palette_and_transparent_images_are_used_as_rgb(tmp_path, mode):
    root = write_nyud(tmp_path, {"train": ["5001"]})
    save(noise(0).convert(mode), root / "nyud" / IMAGE)
    raw = nyud.read(root)
    found = inspect_item(raw.items[0], raw, 10**6)
    assert isinstance(found, Accepted)
    assert (found.row["height"], found.row["width"]) == (24, 32)


@pytest.mark.parametrize(("bits", "kept"), [(1, 2), (2, 4), (4, 16), (8, 256)])
def test_grey_values_of_few_bits_are_classes_as_they_are_stored(bits, kept):
    row = [value % kept for value in range(32)]
    stored = grey_png(bits, row)
    names = tuple(map(str, range(32)))
    raw = RawData("toy", Classes(names, make_bit_palette(32)), [], {value: value for value in range(32)})
    image, label = read_pair(Item("a", "train", stored, stored), raw, 10**6)
    assert label.dtype == np.uint8
    assert (label == row).all()
    # An image keeps its full range of grey.
    assert image.max() == (255 if bits < 8 else 31)


@pytest.mark.parametrize("bits", [2, 4])
def test_a_layer_of_few_bits_keeps_its_values(bits):
    row = [value % 3 for value in range(32)]
    item = Item("a", "train", b"", b"", layers={"geometry": grey_png(bits, row)})
    assert (read_layer("geometry", item, Upright((32, 24)), 10**6) == row).all()


def test_a_label_in_jpeg_is_left_out():
    item = Item("a", "train", png(noise(0)), encoded(noise(0).convert("L"), "JPEG"))
    with pytest.raises(DataError, match="label a: JPEG, expected a lossless format such as PNG"):
        read_pair(item, RawData("toy", Classes(("a",), make_bit_palette(1)), [item], {0: 0}), 10**6)


def test_depth_of_either_byte_order_is_the_same_depth(tmp_path):
    folder = write_nyud(tmp_path, {"train": ["5001"]}) / "nyud"
    depth = values(0, 0, 9999, np.uint16)
    big = Image.frombytes("I;16B", (32, 24), depth.astype(">u2").tobytes())
    (folder / DEPTH).write_bytes(encoded(big, "TIFF"))
    raw = nyud.read(folder)
    assert (read_layer("depth", raw.items[0], Upright((32, 24)), 10**6) == np.rint(depth / 10)).all()
    # Of a map that is stored as it is, the shard's bytes say the same.
    (tmp_path / "instance.tif").write_bytes(encoded(big, "TIFF"))
    item = Item("a", "train", b"", b"", layers={"instance": tmp_path / "instance.tif"})
    assert (decode_map(encode_layer("instance", item, Upright((32, 24)), 10**6)) == depth).all()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("depth", np.zeros((24, 32), np.uint8), "one channel of 16 bits"),
        ("instance", np.zeros((24, 32), np.uint8), "one channel of 16 bits"),
        ("geometry", np.zeros((24, 32), np.uint16), "one channel of 8 bits"),
        ("geometry", np.zeros((24, 32, 3), np.uint8), "one channel of 8 bits"),
        ("hha", np.zeros((24, 32), np.uint8), "three channels of 8 bits"),
    ],
)
def test_a_layer_has_the_type_that_its_name_stands_for(name, values, expected):
    item = Item("a", "train", b"", b"", layers={name: encoded(Image.fromarray(values), "PNG")})
    with pytest.raises(DataError, match=f"{name} a: mode .*, expected {expected}"):
        read_layer(name, item, Upright((32, 24)), 10**6)
