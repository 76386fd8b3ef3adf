"""A video file that was cut off is recognised by what its container says of its length."""

import av
import numpy as np
import pytest
from PIL import Image

from pixelwise.data.cut_files import find_cut

KINDS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "avi": "avi", "ts": "mpegts"}


def write_video(path, kind, options=None):
    with av.open(str(path), "w", format=kind, options=options or {}) as writer:
        stream = writer.add_stream("libvpx" if kind == "webm" else "mpeg4", rate=10)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in range(8):
            noise = np.random.default_rng(frame).integers(0, 255, (48, 64, 3), np.uint8)
            writer.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        writer.mux(stream.encode())


@pytest.mark.parametrize("suffix", KINDS)
def test_what_is_missing_of_a_video_is_said(tmp_path, suffix):
    file = tmp_path / f"clip.{suffix}"
    write_video(file, KINDS[suffix])
    assert find_cut(file) == ""
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 9 // 10 + 1])
    assert find_cut(file).endswith("bytes are missing")


def test_a_video_in_fragments_is_cut_within_its_last_one(tmp_path):
    file = tmp_path / "clip.mp4"
    write_video(file, "mp4", {"movflags": "frag_keyframe+empty_moov"})
    assert find_cut(file) == ""
    file.write_bytes(file.read_bytes()[:-100])
    assert find_cut(file).startswith("100 of ")


def test_an_animation_ends_with_its_last_byte(tmp_path):
    file = tmp_path / "moving.gif"
    pictures = [Image.fromarray(np.full((9, 9, 3), value, np.uint8)) for value in (0, 90, 180)]
    pictures[0].save(file, save_all=True, append_images=pictures[1:])
    assert find_cut(file) == ""
    file.write_bytes(file.read_bytes()[:-5])
    assert find_cut(file) != ""


def test_what_a_recorder_never_closed_is_taken_as_it_is(tmp_path):
    file = tmp_path / "live.mkv"
    write_video(file, "matroska")
    content = file.read_bytes()
    segment = content.index(b"\x18\x53\x80\x67") + 4
    unknown = content[:segment] + b"\x01" + b"\xff" * 7 + content[segment + 8 :]
    file.write_bytes(unknown[: len(unknown) // 2])
    assert find_cut(file) == ""


@pytest.mark.parametrize("content", [b"", b"\0", b"RIFF", b"\x1aE\xdf\xa3", b"\0\0\0\x01ftyp", b"no video at all" * 40])
def test_what_is_no_video_is_not_called_cut(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert find_cut(tmp_path / "file") == ""
