"""Mutated pictures, masks, archives and parameters: each ends in a result or in one of our errors, and in time.

Every input is made from (seed, number), so a failure names the one that shows it.
"""

import io
import random
import tarfile
import time
import zipfile
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml
from support.image_sets import mask, noise, png

from pixelwise.data.archives import ArchiveLimits, unpack
from pixelwise.data.decoding import MIN_SIDE, decode, decode_map_values, decode_usable_image
from pixelwise.errors import PixelwiseError
from pixelwise.params import parse, read_section

PROJECT = Path(__file__).resolve().parents[2]
FEW, MANY = 15, 400
SECONDS = 10
MOST_PIXELS = 4096
LIMITS = ArchiveLimits(total_bytes=2**20, members=50)
WILD = (None, True, -1, 0, 1e308, float("nan"), float("inf"), 2**70, "", "\0", "../..", [], {}, [[1]], {"a": 1}, "no")


def picture(rng, kind):
    """The bytes of a picture of a few formats."""
    image, buffer = noise(rng.randrange(100)) if kind == "image" else mask(rng.randrange(100), 5), io.BytesIO()
    image.save(
        buffer, rng.choice(["PNG", "BMP", "TIFF", "WEBP", "JPEG"] if kind == "image" else ["PNG", "TIFF", "BMP"])
    )
    return buffer.getvalue()


def archive(rng):
    """The bytes of a small zip or tar."""
    buffer, names = io.BytesIO(), [f"{rng.randrange(9)}/{place}.png" for place in range(3)]
    if rng.random() < 0.5:
        with zipfile.ZipFile(buffer, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as opened:
            for name in names:
                opened.writestr(name, png(mask(1, 3)))
    else:
        with tarfile.open(fileobj=buffer, mode=rng.choice(["w", "w:gz", "w:xz", "w:bz2"])) as opened:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = len(content := png(mask(1, 3)))
                opened.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def mutated(content, rng):
    """`content` with a few bytes flipped, cut out, doubled, or set to what lengths like least."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        place, length = rng.randrange(len(content) or 1), rng.choice([1, 2, 4, 64])
        how = rng.randrange(5)
        if how == 0 and content:
            content[place % len(content)] ^= 1 << rng.randrange(8)
        elif how == 1:
            content[place : place + length] = rng.choice([b"\xff", b"\x00", b"\x7f"]) * length
        elif how == 2:
            del content[place : place + length]
        elif how == 3:
            content[place:place] = content[place : place + length]
        else:
            content = content[:place] if rng.random() < 0.2 else content
    return bytes(content)


def try_image(rng, folder):
    decoded = decode_usable_image(mutated(picture(rng, "image"), rng), MOST_PIXELS)
    assert min(decoded.size) >= MIN_SIDE
    assert np.asarray(decoded).shape[0] * np.asarray(decoded).shape[1] <= MOST_PIXELS


def try_mask(rng, folder):
    values = decode_map_values("label", mutated(picture(rng, "mask"), rng), MOST_PIXELS)
    assert values.ndim == 2
    assert values.size <= MOST_PIXELS
    assert np.issubdtype(values.dtype, np.integer) or values.dtype == bool


def try_archive(rng, folder):
    file = folder / "given.zip"
    file.write_bytes(mutated(archive(rng), rng))
    # Whatever happens, nothing may stand outside and no half of it inside.
    try:
        out = unpack(file, folder / "in" / "out", LIMITS)
        assert sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) <= LIMITS.total_bytes
        assert not [path for path in out.rglob("*") if path.is_symlink()]
    except PixelwiseError:
        assert not (folder / "in" / "out").exists()
        raise
    finally:
        assert {path.name for path in folder.iterdir()} <= {"given.zip", "in"}


def try_parameters(rng, folder):
    from pixelwise.families import find

    text = (PROJECT / "params.yaml").read_text()
    file = folder / "params.yaml"
    if rng.random() < 0.3:
        file.write_bytes(mutated(text.encode(), rng))
    else:
        values = yaml.safe_load(text)
        place = values["fcn"]["train"]
        while isinstance(place[key := rng.choice(sorted(place))], dict) and place[key]:
            place = place[key]
        place[key] = rng.choice(WILD)
        file.write_text(yaml.safe_dump(values))
    found = parse(find("fcn").TrainParams, read_section(file, "fcn.train"), str(file))
    assert found.epochs > 0
    assert found.learning_rate > 0


KINDS = {"images": try_image, "masks": try_mask, "archives": try_archive, "parameters": try_parameters}


def put_through(kind, seed, count, folder):
    """`count` inputs of a `kind`; how many were taken and how many refused. Fails on whatever else happens."""
    found = Counter()
    if kind == "parameters":
        # Torch comes with it, which the other kinds do not need, and whose time is no input's.
        import_module("pixelwise.families.fcn.family")
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        begun = time.monotonic()
        try:
            KINDS[kind](random.Random(f"{kind} {seed} {number}"), place)
            found["taken"] += 1
        except PixelwiseError as error:
            found["refused" if "\n" not in str(error) else f"{number}: several lines"] += 1
        except Exception as error:
            raise AssertionError(f"{kind} {seed} {number}: {error!r}") from error
        assert time.monotonic() - begun < SECONDS, f"{kind} {seed} {number}: took too long"
    print(f"\n{kind}, seed {seed}: {dict(found)}")
    assert set(found) <= {"taken", "refused"}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_mutated_inputs_are_taken_or_refused_in_one_line_and_in_time(kind, tmp_path):
    assert put_through(kind, 0, FEW, tmp_path).total() == FEW


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_many_mutated_inputs_are_taken_or_refused_in_one_line_and_in_time(kind, seed, tmp_path):
    found = put_through(kind, seed, MANY, tmp_path)
    assert found["refused"] > MANY // 20, "mutations that hurt nothing show nothing"


def test_what_is_no_picture_at_all_is_refused():
    for content in (b"", b"\x80\x04K\x01.", b"GIF89a" + bytes(64), b"PK\x03\x04", b"%PDF-1.4"):
        with pytest.raises(PixelwiseError, match="not a picture"):
            decode(content, MOST_PIXELS)
