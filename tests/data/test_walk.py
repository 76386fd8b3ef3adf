"""The one walk of a folder, and the kinds of files."""

import os
from io import BytesIO

import pytest
from support.image_sets import noise, png, save

from pixelwise.data.kinds import find_kind
from pixelwise.data.walk import Walk, find_files, make_natural_key, walk


def names(found, root):
    return [file.relative_to(root).as_posix() for file in found.files]


def test_walk_follows_links_and_ends_at_loops(tmp_path):
    save(noise(0), tmp_path / "store" / "1.png")
    root = tmp_path / "mine"
    save(noise(0), root / "0.png")
    (root / "linked").symlink_to("../store")
    (root / "one.png").symlink_to("../store/1.png")
    (root / "loop").symlink_to(".")
    (tmp_path / "store" / "back").symlink_to("../mine")
    assert names(walk(root), root) == ["0.png", "linked/1.png", "one.png"]


def test_a_linked_root_is_walked(tmp_path):
    save(noise(0), tmp_path / "store" / "1.png")
    (tmp_path / "root").symlink_to("store")
    assert names(walk(tmp_path / "root"), tmp_path / "root") == ["1.png"]


def test_walk_skips_hidden_names_and_what_systems_leave_behind(tmp_path):
    for name in ("a.png", "._a.png", ".ipynb_checkpoints/a.png", "__MACOSX/a.png", "@eaDir/a.png"):
        save(noise(0), tmp_path / name)
    (tmp_path / "Thumbs.db").write_bytes(b"")
    assert walk(tmp_path) == Walk((tmp_path / "a.png",), {})


def test_walk_counts_what_it_passes_over(tmp_path):
    save(noise(0), tmp_path / "a.png")
    for name in ("1.heic", "2.HEIC", "notes.txt", "README"):
        (tmp_path / name).write_text("text")
    (tmp_path / "lost.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    found = walk(tmp_path)
    assert names(found, tmp_path) == ["a.png"]
    assert found.describe_passed_over() == (
        "passed over: 2 .heic, 1 .txt, 1 broken link, 1 special file, 1 without suffix"
    )


def test_walk_finds_the_kinds_asked_for_outside_a_folder(tmp_path):
    save(noise(0), tmp_path / "a.png")
    save(noise(0), tmp_path / "out" / "b.png")
    (tmp_path / "film.mp4").write_bytes(b"")
    assert names(walk(tmp_path, outside=tmp_path / "out"), tmp_path) == ["a.png", "film.mp4"]
    assert names(walk(tmp_path, ("video",)), tmp_path) == ["film.mp4"]
    assert walk(tmp_path, ("video",)).passed_over == {".png": 2}


def test_names_are_in_natural_order(tmp_path):
    wanted = ["10-29-54", "10-30-00", "f2", "f02b", "f9", "f10", "f10/2", "f10/11", "g1"]
    for name in wanted:
        save(noise(0), tmp_path / f"{name}.png")
    found = [name.removesuffix(".png") for name in names(walk(tmp_path), tmp_path)]
    assert [name for name in found if "/" not in name] == [name for name in wanted if "/" not in name]
    assert [name for name in found if "/" in name] == ["f10/2", "f10/11"]
    assert sorted(["a1", "a01"], key=make_natural_key) == ["a01", "a1"]


def test_patterns_match_visible_files_alone(tmp_path):
    for name in ("lists/10.txt", "lists/2.txt", "lists/._2.txt", "__MACOSX/1.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert find_files(tmp_path, "*/*.txt") == [tmp_path / "lists/2.txt", tmp_path / "lists/10.txt"]


def encoded(kind, frames=1):
    buffer = BytesIO()
    settings = {"save_all": True, "append_images": [noise(frame) for frame in range(1, frames)]}
    noise(0).save(buffer, kind, **(settings if frames > 1 else {}))
    return buffer.getvalue()


MP4 = b"\0\0\0\x18ftypisom\0\0\0\0"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.jpg", png(noise(0)), "picture"),  # The suffix lies about the format, not about the kind.
        ("a", encoded("JPEG"), "picture"),
        ("a.dat", encoded("WEBP"), "picture"),
        ("a.bin", encoded("BMP"), "picture"),
        ("a.jpg", MP4, "video"),
        ("a.MTS", b"\0\0\0\0G" + bytes(191) + b"G", "video"),
        ("a.tp", b"G" + bytes(187) + b"G", "video"),
        ("a.gif", encoded("GIF"), "picture"),
        ("a.jpg", encoded("GIF", frames=2), "video"),
        ("a.gif", encoded("GIF", frames=2)[:60], "picture"),
        ("a.jpg", b"<html>", "picture"),  # A failed download, which the decoder reports.
        ("a.jpg", b"", "picture"),
        ("BMW.txt", b"BMW M3, a car that is no bitmap", None),
        ("a.nef", encoded("TIFF"), None),  # A raw photograph, of which Pillow would read the preview.
        ("a.tif", encoded("TIFF"), "picture"),
        ("a.heic", HEIC, None),
        ("a.m4a", b"\0\0\0\x18ftypM4A ", None),
        ("a.txt", b"text", None),
    ],
)
def test_content_decides_the_kind_and_the_suffix_where_it_is_unknown(tmp_path, name, content, kind):
    (tmp_path / name).write_bytes(content)
    assert find_kind(tmp_path / name) == kind
